package limits

import (
	"fmt"
	"strconv"
	"strings"
)

// String writes the rule as [Parse] reads it.
func (r *Rule) String() string {
	amount := strconv.FormatInt(r.Amount, 10)
	if r.Unit == USD {
		amount = FormatUSD(r.Amount)
	}
	words := append(make([]string, 0, 16), r.Unit.String(), amount) // on the stack: it is written for each request
	if r.Unit != Concurrency {
		words = append(words, r.window())
	}
	if r.Calendar != Sliding && (r.zone().String() != "UTC" || r.Unit != USD && r.Calendar != Month) {
		words = append(words, "zone", r.zone().String())
	}
	if r.OnStoreError != Local {
		words = append(words, "on_store_error", policyNames[r.OnStoreError])
	}
	if r.OnExceed != Finish {
		words = append(words, "on_exceed", exceedNames[r.OnExceed])
	}
	if r.Queue != 0 {
		words = append(words, "queue", formatDuration(r.Queue))
		if r.QueueLength != 0 {
			words = append(words, strconv.Itoa(r.QueueLength))
		}
	}
	if r.Downgrade != "" {
		words = append(words, "downgrade", r.Downgrade)
		if r.DowngradeAt != defaultDowngradeAt {
			words = append(words, strconv.Itoa(r.DowngradeAt))
		}
	}
	if r.Shadow {
		words = append(words, "shadow")
	}
	return strings.Join(words, " ")
}

// window is the window's word. A sliding day or week of dollars, or of a
// rule with a zone, would read as a calendar window if it were written in
// days, so whole days are written in hours unless they cannot be mistaken.
func (r *Rule) window() string {
	switch r.Calendar {
	case Day:
		return "1d"
	case Week:
		return "1w"
	case Month:
		return "1M"
	}
	text := formatDuration(r.Window)
	if r.Unit == USD && (text == "1d" || text == "1w") {
		return fmt.Sprintf("%dh", int64(r.Window.Hours()))
	}
	return text
}

// MarshalText writes the rule's words.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the rule's words.
func (r *Rule) UnmarshalText(text []byte) (err error) {
	*r, err = Parse(strings.Fields(string(text)))
	return err
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
