package prices

import (
	"fmt"
	"slices"
	"time"
)

// schedule is the prices of one model or pattern, one after the other, the
// earliest first.
type schedule []*Price

// add enters a price, which must not be in force together with another. One
// that names no end ends where the next begins, and one that names no
// beginning has been in force for ever.
func (s schedule) add(p *Price) (schedule, error) {
	at, found := slices.BinarySearchFunc(s, p.From, func(q *Price, from time.Time) int { return q.From.Compare(from) })
	if found {
		return nil, fmt.Errorf("has two prices%s", p.dates())
	}
	s = slices.Insert(slices.Clone(s), at, p)
	for i := range len(s) - 1 {
		if until := s[i].Until; !until.IsZero() && until.After(s[i+1].From) {
			return nil, fmt.Errorf("has two prices from %s: one of them ends at %s", date(s[i+1].From), date(until))
		}
	}
	return s, nil
}

// at is the price in force at t, nil when there is none.
func (s schedule) at(t time.Time) *Price {
	for i := len(s) - 1; i >= 0; i-- {
		if p := s[i]; !t.Before(p.From) {
			if p.Until.IsZero() || t.Before(p.Until) {
				return p
			}
			return nil
		}
	}
	return nil
}

// parseDate reads a day, which begins at midnight UTC, or a time in RFC 3339.
func parseDate(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("'%.40s' is no date such as 2026-12-01, and no time in RFC 3339", text)
}

// date writes what parseDate reads.
func date(t time.Time) string {
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

// dates are the words for when the price is in force, with a space before;
// empty when it always is.
func (p *Price) dates() (words string) {
	if !p.From.IsZero() {
		words = " from " + date(p.From)
	}
	if !p.Until.IsZero() {
		words += " until " + date(p.Until)
	}
	return words
}

// version names the price in records: the catalogue's, and since when the
// price holds if that is known.
func (p *Price) version(of string) string {
	if p.From.IsZero() {
		return of
	}
	return of + "@" + date(p.From)
}
