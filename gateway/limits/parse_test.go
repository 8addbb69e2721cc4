package limits

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var zones = cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() && (a == nil) == (b == nil) })

func TestParse(t *testing.T) {
	kyiv := zone(t, "Europe/Kyiv")
	for _, c := range []struct {
		text string
		want Rule
		id   string

		// again is what String writes; text if empty.
		again string
	}{
		{text: "requests 60 1m", want: Rule{Unit: Requests, Amount: 60, Window: time.Minute}, id: "requests/1m"},
		{text: "requests 60 60s", want: Rule{Unit: Requests, Amount: 60, Window: time.Minute}, id: "requests/1m", again: "requests 60 1m"},
		{text: "requests 0 1s", want: Rule{Unit: Requests, Window: time.Second}, id: "requests/1s"},
		{text: "tokens 200k 1h30m", want: Rule{Unit: Tokens, Amount: 200_000, Window: 90 * time.Minute}, id: "tokens/1h30m", again: "tokens 200000 1h30m"},
		{text: "tokens 1.5M 1d", want: Rule{Unit: Tokens, Amount: 1_500_000, Window: 24 * time.Hour}, id: "tokens/1d", again: "tokens 1500000 1d"},
		{text: "tokens 5 1d zone UTC", want: Rule{Unit: Tokens, Amount: 5, Calendar: Day, Zone: time.UTC}, id: "tokens/1d@UTC"},
		{text: "tokens 5 1M", want: Rule{Unit: Tokens, Amount: 5, Calendar: Month, Zone: time.UTC}, id: "tokens/1M@UTC"},
		{text: "input_tokens 1 500ms", want: Rule{Unit: InputTokens, Amount: 1, Window: 500 * time.Millisecond}, id: "input_tokens/500ms"},
		{text: "output_tokens 7 2w1d", want: Rule{Unit: OutputTokens, Amount: 7, Window: 15 * 24 * time.Hour}, id: "output_tokens/15d", again: "output_tokens 7 15d"},
		{text: "usd 0.50 1d", want: Rule{Unit: USD, Amount: Dollar / 2, Calendar: Day, Zone: time.UTC}, id: "usd/1d@UTC", again: "usd 0.5 1d"},
		{text: "usd 25 24h", want: Rule{Unit: USD, Amount: 25 * Dollar, Window: 24 * time.Hour}, id: "usd/24h"},
		{text: "usd 25 7d", want: Rule{Unit: USD, Amount: 25 * Dollar, Window: 7 * 24 * time.Hour}, id: "usd/7d"},
		{text: "requests 9 7d", want: Rule{Unit: Requests, Amount: 9, Window: 7 * 24 * time.Hour}, id: "requests/7d"},
		{text: "requests 9 1w", want: Rule{Unit: Requests, Amount: 9, Window: 7 * 24 * time.Hour}, id: "requests/7d", again: "requests 9 7d"},
		{text: "usd 25 30d", want: Rule{Unit: USD, Amount: 25 * Dollar, Window: 30 * 24 * time.Hour}, id: "usd/30d"},
		{text: "usd 1.5k 1M zone Europe/Kyiv", want: Rule{Unit: USD, Amount: 1500 * Dollar, Calendar: Month, Zone: kyiv}, id: "usd/1M@Europe/Kyiv", again: "usd 1500 1M zone Europe/Kyiv"},
		{text: "usd 0.000000001 1w", want: Rule{Unit: USD, Amount: 1, Calendar: Week, Zone: time.UTC}, id: "usd/1w@UTC"},
		{text: "concurrency 8", want: Rule{Unit: Concurrency, Amount: 8}, id: "concurrency"},
		{text: "concurrency 8 shadow queue 5s", want: Rule{Unit: Concurrency, Amount: 8, Shadow: true, Queue: 5 * time.Second}, id: "concurrency", again: "concurrency 8 queue 5s shadow"},
		{text: "requests 1 1s queue 5s 250", want: Rule{Unit: Requests, Amount: 1, Window: time.Second, Queue: 5 * time.Second, QueueLength: 250}, id: "requests/1s"},
		{text: "usd 5 1M downgrade mini", want: Rule{Unit: USD, Amount: 5 * Dollar, Calendar: Month, Zone: time.UTC, Downgrade: "mini", DowngradeAt: 90}, id: "usd/1M@UTC"},
		{text: "usd 5 1M downgrade openai/gpt-4o-mini 90%", want: Rule{Unit: USD, Amount: 5 * Dollar, Calendar: Month, Zone: time.UTC, Downgrade: "openai/gpt-4o-mini", DowngradeAt: 90}, id: "usd/1M@UTC", again: "usd 5 1M downgrade openai/gpt-4o-mini"},
		{
			text: "usd 5 1M shadow downgrade 4 75 queue 1s 7",
			want: Rule{
				Unit: USD, Amount: 5 * Dollar, Calendar: Month, Zone: time.UTC, Queue: time.Second, QueueLength: 7,
				Downgrade: "4", DowngradeAt: 75, Shadow: true,
			}, id: "usd/1M@UTC", again: "usd 5 1M queue 1s 7 downgrade 4 75 shadow",
		},
		{
			text: "usd 5 1w zone Europe/Kyiv on_store_error deny queue 2m shadow",
			want: Rule{
				Unit: USD, Amount: 5 * Dollar, Calendar: Week, Zone: kyiv, OnStoreError: Deny,
				Queue: 2 * time.Minute, Shadow: true,
			}, id: "usd/1w@Europe/Kyiv",
		},
		{text: "tokens 9 1m on_exceed cut", want: Rule{Unit: Tokens, Amount: 9, Window: time.Minute, OnExceed: Cut}, id: "tokens/1m"},
		{text: "output_tokens 9 1m on_exceed finish", want: Rule{Unit: OutputTokens, Amount: 9, Window: time.Minute}, id: "output_tokens/1m", again: "output_tokens 9 1m"},
		{text: "usd 5 1M shadow on_exceed cut", want: Rule{Unit: USD, Amount: 5 * Dollar, Calendar: Month, Zone: time.UTC, OnExceed: Cut, Shadow: true}, id: "usd/1M@UTC", again: "usd 5 1M on_exceed cut shadow"},
		{text: "requests 1 1s on_store_error allow", want: Rule{Unit: Requests, Amount: 1, Window: time.Second, OnStoreError: Allow}, id: "requests/1s", again: "requests 1 1s on_store_error allow"},
	} {
		t.Run(c.text, func(t *testing.T) {
			got, err := Parse(strings.Fields(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, zones); diff != "" {
				t.Error(diff)
			}
			if c.again == "" {
				c.again = c.text
			}
			if got.String() != c.again {
				t.Errorf("written as %q, want %q", &got, c.again)
			}
			if got.ID() != c.id {
				t.Errorf("id %q, want %q", got.ID(), c.id)
			}
			var again Rule
			text, err := json.Marshal(got)
			if err == nil {
				err = json.Unmarshal(text, &again)
			}
			if diff := cmp.Diff(got, again, zones); err != nil || diff != "" {
				t.Errorf("%s read again: %v %s", text, err, diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, problem string }{
		{"", "what is limited is missing"},
		{"request 5 1m", "unit: unknown word 'request'; did you mean 'requests'?"},
		{"dollars 5 1m", "unit: unknown word 'dollars' (known: requests, tokens"},
		{"requests", "requests: the number is missing"},
		{"requests 1m", "requests: '1m' is no number"},
		{"requests -1 1m", "'-1' is no number"},
		{"requests 1e9 1m", "'1e9' is no number"},
		{"requests NaN 1m", "'NaN' is no number"},
		{"requests 0x10 1m", "'0x10' is no number"},
		{"requests 1.5 1m", "1.5 has more decimals than can be counted"},
		{"requests 1. 1m", "'1.' is no number"},
		{"requests .5 1m", "'.5' is no number"},
		{"usd $5 1M", "usd: '$5' is no number"},
		{"usd 0.0000000001 1M", "more decimals than can be counted"},
		{"usd 9007200 1M", "more than the largest limit"},
		{"usd 9007199.9 1M", "more than the largest limit"},
		{"tokens 9007199254740992 1h", "more than the largest limit"},
		{"tokens 99999999999999999999 1h", "more than the largest limit"},
		{"requests 5", "requests: the window is missing"},
		{"usd 5 shadow", "usd: the window is missing"},
		{"requests 5 minute", "option: unknown word 'minute'"},
		{"requests 5 5", "'5' is no window"},
		{"requests 5 0s", "'0s' is no window"},
		{"requests 5 1y", "'1y' is no window"},
		{"requests 5 1000000000h", "'1000000000h' is no window"},
		{"requests 5 99999999999999999999s", "is no window"},
		{"requests 5 2M", "the only window of months is 1M"},
		{"concurrency 5 1m", "concurrency: takes no window, but has '1m'"},
		{"concurrency 5 zone UTC", "no zone"},
		{"requests 5 1m zone UTC", "the window 1m slides"},
		{"usd 5 1M zone Europe/Kiew", "'Europe/Kiew' is no known zone"},
		{"usd 5 1M zone Local", "'Local' is no zone"},
		{"usd 5 1M zone ../../etc/passwd", "is no known zone"},
		{"usd 5 1M zone", "zone: its value is missing"},
		{"usd 5 1M shadow shadow", "shadow is given twice"},
		{"usd 5 1M queue soon", "queue: 'soon' is no duration"},
		{"usd 5 1M queue 1s 0", "queue: '0' is no number of waiting requests; want 1 to 10000"},
		{"usd 5 1M queue 1s 10001", "want 1 to 10000"},
		{"usd 5 1M queue 1s 5 6", "unknown word '6'"},
		{"usd 5 1M queue 1s queue 1s", "queue is given twice"},
		{"usd 5 1M downgrade", "downgrade: its value is missing"},
		{"usd 5 1M downgrade mini 0", "'0' is no percentage; want 1 to 100"},
		{"usd 5 1M downgrade mini 101", "'101' is no percentage"},
		{"usd 5 1M downgrade mini 90.5", "'90.5' is no percentage"},
		{"usd 5 1M downgrade gpt-*", "'gpt-*' is a pattern; name one model"},
		{"usd 5 1M downgrad mini", "did you mean 'downgrade'?"},
		{"usd 5 1M on_store_error deny 5", "takes one value, but has '5' too"},
		{"usd 5 1M on_store_eror deny", "did you mean 'on_store_error'?"},
		{"usd 5 1M on_store_error alow", "did you mean 'allow'?"},
		{"usd 5 1M on_exced cut", "did you mean 'on_exceed'?"},
		{"usd 5 1M on_exceed cutt", "did you mean 'cut'?"},
		{"usd 5 1M on_exceed", "on_exceed: its value is missing"},
		{"usd 5 1M on_exceed cut on_exceed cut", "on_exceed is given twice"},
		{"requests 5 1m on_exceed cut", "a running stream uses no more requests"},
		{"input_tokens 5 1m on_exceed finish", "a running stream uses no more input_tokens"},
		{"concurrency 5 on_exceed cut", "a running stream uses no more concurrency"},
	} {
		_, err := Parse(strings.Fields(c.text))
		if err == nil || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %v, want %s", c.text, err, c.problem)
		}
	}
}

func TestCheck(t *testing.T) {
	parse := func(lines ...string) (rules []Rule) {
		for _, line := range lines {
			r, err := Parse(strings.Fields(line))
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, r)
		}
		return rules
	}
	if err := Check(parse("requests 60 1m", "requests 1000 1h", "tokens 1 1m", "usd 1 1d", "usd 1 24h", "usd 1 1d zone Europe/Kyiv")); err != nil {
		t.Error(err)
	}
	if err := Check(parse("requests 60 1m", "requests 70 60s")); err == nil || !strings.Contains(err.Error(), "requests 70 1m") {
		t.Error(err)
	}
}

// TestPeriod covers the nights on which clocks are changed.
func TestPeriod(t *testing.T) {
	for _, c := range []struct{ rule, now, start, end string }{
		{"usd 1 1d zone Europe/Kyiv", "2026-03-29T00:30:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
		{"usd 1 1d zone Europe/Kyiv", "2026-10-25T12:00:00Z", "2026-10-24T21:00:00Z", "2026-10-25T22:00:00Z"},
		{"usd 1 1w zone Europe/Kyiv", "2026-03-29T20:59:59Z", "2026-03-22T22:00:00Z", "2026-03-29T21:00:00Z"},
		{"usd 1 1w", "2026-03-30T00:00:00Z", "2026-03-30T00:00:00Z", "2026-04-06T00:00:00Z"},
		{"usd 1 1M", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"usd 1 1M zone Pacific/Kiritimati", "2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"},
		{"usd 1 1d zone America/Sao_Paulo", "2018-11-04T02:30:00Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"usd 1 1d zone America/Havana", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"usd 1 1d zone America/Havana", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"usd 1 1d zone America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
	} {
		r, err := Parse(strings.Fields(c.rule))
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		start, end := r.Period(now)
		got := []string{start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339)}
		if diff := cmp.Diff([]string{c.start, c.end}, got); diff != "" {
			t.Errorf("%s at %s:\n%s", c.rule, c.now, diff)
		}
	}
}

// TestPeriodsJoin holds that in every zone each period contains its moments
// and begins where the last one ends.
func TestPeriodsJoin(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Kyiv", "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe", "America/Sao_Paulo"} {
		for _, calendar := range []Calendar{Day, Week, Month} {
			r := Rule{Unit: USD, Calendar: calendar, Zone: zone(t, name)}
			// São Paulo changed its clocks, at midnight, until 2019.
			now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
			if name == "America/Sao_Paulo" {
				now = now.AddDate(-7, 0, 0)
			}
			until := now.AddDate(2, 0, 0)
			start, end := r.Period(now)
			for ; now.Before(until); now = now.Add(30 * time.Minute) {
				s, e := r.Period(now)
				if now.Before(s) || !now.Before(e) {
					t.Fatalf("%s: %s is not in %s to %s", name, now, s, e)
				}
				if !s.Equal(start) && !s.Equal(end) {
					t.Fatalf("%s: %s follows what ends at %s", name, s, end)
				}
				start, end = s, e
			}
		}
	}
}

// TestNearly says from which use on a rule's other model is used.
func TestNearly(t *testing.T) {
	for _, c := range []struct {
		rule string
		used int64
		want bool
	}{
		{"tokens 1000 1h downgrade m", 899, false},
		{"tokens 1000 1h downgrade m", 900, true},
		{"tokens 1000 1h downgrade m", 5000, true},
		{"tokens 1000 1h downgrade m 100", 999, false},
		{"tokens 1000 1h downgrade m 100", 1000, true},
		{"tokens 3 1h downgrade m 50", 1, false},
		{"tokens 3 1h downgrade m 50", 2, true},
		{"tokens 0 1h downgrade m", 0, true},
		{"tokens 9007199254740991 1h downgrade m 99", MaxAmount, true},
		{"tokens 9007199254740991 1h downgrade m 99", MaxAmount / 100 * 98, false},
		{"tokens 1000 1h", 5000, false},
	} {
		r, err := Parse(strings.Fields(c.rule))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Nearly(c.used); got != c.want {
			t.Errorf("%s: %d used: %v", c.rule, c.used, got)
		}
	}
}

func TestAmounts(t *testing.T) {
	const most = int64(1<<63 - 1)
	for _, c := range []struct{ got, want int64 }{
		{Multiply(3, 4), 12},
		{Multiply(most, most), MaxAmount},
		{Multiply(MaxAmount, 1), MaxAmount},
		{Multiply(1<<27, 1<<26), MaxAmount},
		{Multiply(-5, 3), 0},
		{Multiply(5, -3), 0},
		{Add(1, 2, 3), 6},
		{Add(most, most), MaxAmount},
		{Add(-7, 3), 3},
	} {
		if c.got != c.want {
			t.Errorf("%d, want %d", c.got, c.want)
		}
	}
	for nano, want := range map[int64]string{0: "0", 1: "0.000000001", Dollar: "1", 1_500_000_000: "1.5", -20_000_000: "-0.02"} {
		if got := FormatUSD(nano); got != want {
			t.Errorf("%d nano-dollars are %q, want %q", nano, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"requests 60 1m", "usd 0.50 1M zone Europe/Kyiv shadow", "tokens 1.5M 1h30m queue 5s 20", "usd 5 1M downgrade m 80%", "concurrency 8 queue 1s", "usd 1 168h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(strings.Fields(text))
		if err != nil {
			return
		}
		if r.Amount < 0 || r.Amount > MaxAmount || r.Slot() < 1 {
			t.Fatalf("%q: %+v", text, r)
		}
		again, err := Parse(strings.Fields(r.String()))
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, &r, err)
		}
		if diff := cmp.Diff(r, again, zones); diff != "" || r.ID() != again.ID() {
			t.Fatalf("%q was written as %q:\n%s", text, &r, diff)
		}
	})
}
