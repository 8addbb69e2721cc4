// Package limits decides who may spend how much: rules and the words that
// they are written in, the algorithm that counts, and the interface of the
// stores that hold the counters. It knows neither Caddy nor any vendor.
//
// A request reserves room under all of its rules at once, before it is sent
// upstream, and settles what it really took when it ends. See [Counter] for
// what is promised.
package limits

import (
	"slices"
	"time"
	// Budgets follow the calendar of a zone; an image without a zone database
	// must know it too.
	_ "time/tzdata"
)

// MaxAmount is the largest amount that is told apart: 2^53-1, beyond which
// the numbers of a Lua script in Redis are no longer whole. It is 9 million
// dollars or 9 quadrillion tokens; sums stop there instead of wrapping.
const MaxAmount = 1<<53 - 1

// Dollar is one US dollar in the unit of money, the nano-dollar.
const Dollar = 1_000_000_000

// Unit is what a rule counts.
type Unit uint8

// The units. USD is counted in nano-dollars; Concurrency counts requests that
// are under way.
const (
	Requests Unit = iota
	Tokens
	InputTokens
	OutputTokens
	USD
	Concurrency
)

var unitNames = [...]string{"requests", "tokens", "input_tokens", "output_tokens", "usd", "concurrency"}

// IsUnit reports whether a word is that of a unit.
func IsUnit(word string) bool { return slices.Contains(unitNames[:], word) }

// String is the unit's word in configurations.
func (u Unit) String() string { return unitNames[u] }

// Calendar is the kind of a window that begins with the clock on the wall.
type Calendar uint8

// The calendar windows; weeks begin on Monday (ISO 8601). Sliding is the
// window that has no fixed begin.
const (
	Sliding Calendar = iota
	Day
	Week
	Month
)

// OnStoreError is what a rule does while its store cannot be asked.
type OnStoreError uint8

// Local decides with the instance's own counters and its share of the limit.
const (
	Local OnStoreError = iota
	Allow
	Deny
)

// OnExceed is what becomes of a stream that uses more than was reserved for it
// when its limit has no more room.
type OnExceed uint8

// Finish lets it run to its end and notes the debt; Cut ends it.
const (
	Finish OnExceed = iota
	Cut
)

// Rule is one limit. Its text form, which [Parse] reads and String writes, is
// also its JSON form. A Rule is not changed after it was parsed.
type Rule struct {
	Unit Unit

	// Amount is how much of the unit fits into a window.
	Amount int64

	// Window is the length of a sliding window; 0 for calendar windows and
	// for Concurrency.
	Window   time.Duration
	Calendar Calendar

	// Zone is where a calendar window begins at midnight; UTC when nil.
	Zone *time.Location

	OnStoreError OnStoreError

	// OnExceed is Finish for units that an answer does not use more of as it
	// grows.
	OnExceed OnExceed

	// Shadow counts without ever refusing.
	Shadow bool

	// Queue is how long a request may wait for room; 0 refuses at once.
	// QueueLength is how many may wait; 0 is the queue's default.
	Queue       time.Duration
	QueueLength int

	// Downgrade is the model that requests go to instead when DowngradeAt
	// percent of the amount are used, or when there is no room; empty for none.
	Downgrade   string
	DowngradeAt int
}

// Nearly reports whether used is so much of the rule's amount that requests go
// to the model of Downgrade.
func (r *Rule) Nearly(used int64) bool {
	return r.Downgrade != "" && clamp(used)*100 >= r.amount()*int64(r.DowngradeAt)
}

// Cuts reports whether a stream ends where the rule has no more room for it.
func (r *Rule) Cuts() bool { return r.OnExceed == Cut && !r.Shadow }

// grows reports whether an answer uses more of the unit as it grows.
func (u Unit) grows() bool { return u == Tokens || u == OutputTokens || u == USD }

// ID names what a rule counts, apart from how much it allows: its unit and
// window, such as `tokens/1m` or `usd/1M@Europe/Kyiv`. Counters are kept
// under it, so that a reload that changes an amount goes on counting.
func (r *Rule) ID() string { return string(r.appendID(nil)) }

func (r *Rule) appendID(dst []byte) []byte {
	dst = append(dst, r.Unit.String()...)
	if r.Unit == Concurrency {
		return dst
	}
	dst = r.appendWindow(append(dst, '/'))
	if r.Calendar != Sliding {
		dst = append(append(dst, '@'), r.zone().String()...)
	}
	return dst
}

// Key names the counter of a rule in a scope: scope is one of Weir's words
// (`key`, `team`, `model` …) and has no colon, name is anybody's. No two
// triples make the same key.
func Key(scope, name string, r *Rule) string { return scope + ":" + name + ":" + r.ID() }

func (r *Rule) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// Period returns the calendar window that now falls into, [start, end).
func (r *Rule) Period(now time.Time) (start, end time.Time) {
	zone := r.zone()
	year, month, day := now.In(zone).Date()
	midnight := func(y int, m time.Month, d int) time.Time { return midnight(y, m, d, zone) }
	switch r.Calendar {
	case Month:
		return midnight(year, month, 1), midnight(year, month+1, 1)
	case Week:
		monday := day - (int(now.In(zone).Weekday())+6)%7
		return midnight(year, month, monday), midnight(year, month, monday+7)
	default:
		return midnight(year, month, day), midnight(year, month, day+1)
	}
}

// midnight is the first moment of a day. Where clocks are changed at midnight
// the day begins at one o'clock, for which time.Date gives eleven on the
// evening before, or it has two midnights.
func midnight(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	switch before := t.Add(-time.Hour); {
	case t.Hour() >= 12:
		_, t = t.ZoneBounds()
	case t.Hour() > 0:
		t, _ = t.ZoneBounds()
	case before.Day() == t.Day():
		t = before
	}
	return t
}

// Slot is the width of the slots that a sliding window is counted in, in
// microseconds, rounded up so that [Slots] of them cover the window.
func (r *Rule) Slot() int64 {
	micros := (int64(r.Window) + 999) / 1000
	return max(1, (micros+parts-1)/parts)
}

// amount is Amount within the bounds that counters know.
func (r *Rule) amount() int64 { return clamp(r.Amount) }

// clamp brings n between 0 and MaxAmount.
func clamp(n int64) int64 { return min(max(n, 0), MaxAmount) }
