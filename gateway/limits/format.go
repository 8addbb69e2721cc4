package limits

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String writes the rule as [Parse] reads it.
func (r *Rule) String() string {
	var room [96]byte
	return string(r.Append(room[:0]))
}

// Append appends what String writes to dst: access logs have it of each limit of
// each request.
func (r *Rule) Append(dst []byte) []byte {
	word := func(words ...string) {
		for _, w := range words {
			dst = append(append(dst, ' '), w...)
		}
	}
	dst = append(append(dst, r.Unit.String()...), ' ')
	if r.Unit == USD {
		dst = AppendUSD(dst, r.Amount)
	} else {
		dst = strconv.AppendInt(dst, r.Amount, 10)
	}
	if r.Unit != Concurrency {
		dst = r.appendWindow(append(dst, ' '))
	}
	if r.Calendar != Sliding && (r.zone().String() != "UTC" || r.Unit != USD && r.Calendar != Month) {
		word("zone", r.zone().String())
	}
	if r.OnStoreError != Local {
		word("on_store_error", policyNames[r.OnStoreError])
	}
	if r.OnExceed != Finish {
		word("on_exceed", exceedNames[r.OnExceed])
	}
	if r.Queue != 0 {
		word("queue", formatDuration(r.Queue))
		if r.QueueLength != 0 {
			word(strconv.Itoa(r.QueueLength))
		}
	}
	if r.Downgrade != "" {
		word("downgrade", r.Downgrade)
		if r.DowngradeAt != defaultDowngradeAt {
			word(strconv.Itoa(r.DowngradeAt))
		}
	}
	if r.Shadow {
		word("shadow")
	}
	return dst
}

// appendWindow appends the window's word. Whole days are written in days, as
// people write them and count them. A sliding day of dollars would read as a
// calendar window if it were, so it is written in hours.
func (r *Rule) appendWindow(dst []byte) []byte {
	switch r.Calendar {
	case Day:
		return append(dst, "1d"...)
	case Week:
		return append(dst, "1w"...)
	case Month:
		return append(dst, "1M"...)
	}
	const day = 24 * time.Hour
	switch {
	case r.Unit == USD && r.Window == day:
		return append(dst, "24h"...)
	case r.Window > 0 && r.Window%day == 0:
		return append(strconv.AppendInt(dst, int64(r.Window/day), 10), 'd')
	}
	return appendDuration(dst, r.Window)
}

// MarshalText writes the rule's words.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the rule's words.
func (r *Rule) UnmarshalText(text []byte) (err error) {
	*r, err = Parse(strings.Fields(string(text)))
	return err
}

// ParseAll reads the rules of one scope, each as a list of words, and checks them.
func ParseAll(lines [][]string) ([]Rule, error) {
	rules := make([]Rule, 0, len(lines))
	for _, words := range lines {
		rule, err := Parse(words)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, Check(rules)
}

// Check refuses two rules of one scope that would share a counter.
func Check(rules []Rule) error {
	seen := make(map[string]bool, len(rules))
	for i := range rules {
		id := rules[i].ID()
		if seen[id] {
			return fmt.Errorf("limit %s: another limit has the same unit and window", &rules[i])
		}
		seen[id] = true
	}
	return nil
}
