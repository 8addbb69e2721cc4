package limits

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/internal/typo"
)

// Parse reads a rule, the words after `limit`:
//
//	requests|tokens|input_tokens|output_tokens N window [options…]
//	usd N window [options…]
//	concurrency N [options…]
//
// N is a number such as 60, 200k, 1.5M; dollars may have decimals. A window
// is a duration (`30s`, `1h30m`, `30d`, `2w`) that slides, or a calendar
// window: `1M` always, `1d` and `1w` for usd, and for other units when a
// zone is named.
//
// Options, in any order, each once:
//
//	zone Europe/Kyiv                   where calendar windows begin; default UTC
//	on_store_error local|allow|deny    default local
//	on_exceed finish|cut               a stream that exceeds it; default finish.
//	                                   For tokens, output_tokens and usd
//	queue 5s [100]                     wait so long for room, so many at most
//	downgrade MODEL [90]               go to MODEL from so many percent on
//	shadow                             count, never refuse
func Parse(args []string) (Rule, error) {
	var r Rule
	if len(args) == 0 {
		return r, fmt.Errorf("what is limited is missing: %s", strings.Join(unitNames[:], ", "))
	}
	unit, err := choose("unit", args[0], unitNames[:])
	if err != nil {
		return r, err
	}
	r.Unit = Unit(unit)
	args = args[1:]
	if len(args) == 0 {
		return r, fmt.Errorf("%s: the number is missing", r.Unit)
	}
	if r.Amount, err = r.parseAmount(args[0]); err != nil {
		return r, fmt.Errorf("%s: %w", r.Unit, err)
	}
	args = args[1:]
	var window string
	if len(args) > 0 && args[0] != "" && args[0][0] >= '0' && args[0][0] <= '9' {
		window, args = args[0], args[1:]
	}
	if err := r.parseOptions(args); err != nil {
		return r, fmt.Errorf("%s: %w", r.Unit, err)
	}
	if err := r.parseWindow(window); err != nil {
		return r, fmt.Errorf("%s: %w", r.Unit, err)
	}
	return r, nil
}

func (r *Rule) parseAmount(text string) (int64, error) {
	if r.Unit == USD {
		return ParseUSD(text)
	}
	return parseDecimal(text, 1)
}

func (r *Rule) parseWindow(text string) error {
	switch {
	case r.Unit == Concurrency && text != "":
		return fmt.Errorf("takes no window, but has '%s'", text)
	case r.Unit == Concurrency && r.Zone != nil:
		return errors.New("takes no window, so no zone")
	case r.Unit == Concurrency:
		return nil
	case text == "":
		return errors.New("the window is missing, such as 1m, 24h or 1M")
	}
	calendar := r.Unit == USD || r.Zone != nil
	switch {
	case text == "1M":
		r.Calendar = Month
	case text == "1d" && calendar:
		r.Calendar = Day
	case text == "1w" && calendar:
		r.Calendar = Week
	case r.Zone != nil:
		return fmt.Errorf("zone: the window %s slides and begins nowhere; calendar windows are 1d, 1w and 1M", text)
	case strings.HasSuffix(text, "M"):
		return fmt.Errorf("'%s' is no window; the only window of months is 1M", text)
	default:
		window, ok := parseDuration(text)
		if !ok {
			return fmt.Errorf("'%s' is no window; write for example 30s, 1m, 24h, 30d or 1M", text)
		}
		r.Window = window
		return nil
	}
	if r.Zone == nil {
		r.Zone = time.UTC
	}
	return nil
}

var (
	optionNames = []string{"zone", "on_store_error", "on_exceed", "queue", "downgrade", "shadow"}
	policyNames = []string{"local", "allow", "deny"}
	exceedNames = []string{"finish", "cut"}
)

func (r *Rule) parseOptions(args []string) error {
	seen := map[string]bool{}
	for len(args) > 0 {
		option := args[0]
		if _, err := choose("option", option, optionNames); err != nil {
			return err
		}
		if seen[option] {
			return fmt.Errorf("%s is given twice", option)
		}
		seen[option] = true
		if args = args[1:]; option == "shadow" {
			r.Shadow = true
			continue
		}
		if len(args) == 0 {
			return fmt.Errorf("%s: its value is missing", option)
		}
		if err := r.setOption(option, args[0]); err != nil {
			return err
		}
		args = args[1:]
		// Some options have a number too; none begins with a digit.
		if len(args) > 0 && args[0] != "" && args[0][0] >= '0' && args[0][0] <= '9' {
			if err := r.setNumber(option, args[0]); err != nil {
				return fmt.Errorf("%s: %w", option, err)
			}
			args = args[1:]
		}
	}
	return nil
}

// What the numbers of options may be.
const (
	maxQueueLength     = 10_000
	defaultDowngradeAt = 90
)

// setNumber reads the number behind an option's value.
func (r *Rule) setNumber(option, text string) (err error) {
	number := func(what, text string, most int) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return 0, fmt.Errorf("'%s' is no %s; want 1 to %d", text, what, most)
		}
		return n, nil
	}
	switch option {
	case "queue":
		r.QueueLength, err = number("number of waiting requests", text, maxQueueLength)
	case "downgrade":
		r.DowngradeAt, err = number("percentage", strings.TrimSuffix(text, "%"), 100)
	default:
		err = fmt.Errorf("takes one value, but has '%s' too", text)
	}
	return err
}

func (r *Rule) setOption(option, value string) (err error) {
	var n int
	switch option {
	case "zone":
		// "Local" and "" would mean a different calendar on every machine.
		if value == "Local" || value == "" {
			return fmt.Errorf("zone: '%s' is no zone; write for example Europe/Kyiv", value)
		}
		if r.Zone, err = time.LoadLocation(value); err != nil {
			return fmt.Errorf("zone: '%s' is no known zone; write for example Europe/Kyiv", value)
		}
	case "queue":
		d, ok := parseDuration(value)
		if !ok {
			return fmt.Errorf("queue: '%s' is no duration; write for example 5s", value)
		}
		r.Queue = d
	case "downgrade":
		if strings.Contains(value, "*") {
			return fmt.Errorf("downgrade: '%s' is a pattern; name one model", value)
		}
		r.Downgrade, r.DowngradeAt = value, defaultDowngradeAt
	case "on_store_error":
		n, err = choose(option, value, policyNames)
		r.OnStoreError = OnStoreError(n)
	case "on_exceed":
		n, err = choose(option, value, exceedNames)
		if err == nil && !r.Unit.grows() {
			return fmt.Errorf("on_exceed: a running stream uses no more %s; it is for tokens, output_tokens and usd", r.Unit)
		}
		r.OnExceed = OnExceed(n)
	}
	return err
}

// choose finds word among known.
func choose(what, word string, known []string) (int, error) {
	for i, k := range known {
		if k == word {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: unknown word '%s'%s (known: %s)", what, word, typo.Suggest(word, known...), strings.Join(known, ", "))
}
