package health

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestQuotaHeaders reads what vendors send.
func TestQuotaHeaders(t *testing.T) {
	now := newClock().Now()
	in := func(d time.Duration) time.Time { return now.Add(d) }
	for _, c := range []struct {
		name   string
		header map[string]string
		want   map[string]Quota
	}{
		{name: "none", header: map[string]string{"X-Request-Id": "1"}},
		{"openai", map[string]string{
			"x-ratelimit-limit-requests": "10000", "x-ratelimit-remaining-requests": "9999", "x-ratelimit-reset-requests": "6ms",
			"x-ratelimit-limit-tokens": "200000", "x-ratelimit-remaining-tokens": "150000", "x-ratelimit-reset-tokens": "1m30.5s",
		}, map[string]Quota{
			"requests": {10000, 9999, in(6 * time.Millisecond), now},
			"tokens":   {200000, 150000, in(90*time.Second + 500*time.Millisecond), now},
		}},
		{"azure", map[string]string{
			"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "98", "x-ratelimit-reset-requests": "0",
			"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "27",
		}, map[string]Quota{"requests": {100, 98, time.Time{}, now}, "tokens": {1000, 10, in(27 * time.Second), now}}},
		{"groq", map[string]string{
			"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370", "x-ratelimit-reset-requests": "2m59.56s",
			"x-ratelimit-limit-tokens": "18000", "x-ratelimit-remaining-tokens": "17997", "x-ratelimit-reset-tokens": "7.66s",
		}, map[string]Quota{"requests": {14400, 14370, in(179560 * time.Millisecond), now}, "tokens": {18000, 17997, in(7660 * time.Millisecond), now}}},
		{"anthropic", map[string]string{
			"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "49", "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:07Z",
			"anthropic-ratelimit-input-tokens-limit": "30000", "anthropic-ratelimit-input-tokens-remaining": "0", "anthropic-ratelimit-input-tokens-reset": "2026-01-02T04:05:05+01:00",
			"anthropic-ratelimit-output-tokens-limit": "8000", "anthropic-ratelimit-output-tokens-remaining": "8000", "anthropic-ratelimit-output-tokens-reset": "2026-01-02T03:04:05Z",
			"anthropic-ratelimit-tokens-limit": "38000", "anthropic-ratelimit-tokens-remaining": "8000", "anthropic-ratelimit-tokens-reset": "2026-01-02T03:05:05Z",
		}, map[string]Quota{
			"requests":      {50, 49, in(2 * time.Second), now},
			"input_tokens":  {30000, 0, in(time.Minute), now},
			"output_tokens": {8000, 8000, time.Time{}, now},
			"tokens":        {38000, 8000, in(time.Minute), now},
		}},
		{"openrouter", map[string]string{"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767323055000"}, map[string]Quota{"requests": {20, 0, in(10 * time.Second), now}}},
		{"epoch in seconds", map[string]string{"x-ratelimit-limit": "20", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "1767323055"}, map[string]Quota{"requests": {20, 5, in(10 * time.Second), now}}},
		{"mistral", map[string]string{
			"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "30", "x-ratelimit-limit-tokens-minute": "500000", "x-ratelimit-remaining-tokens-minute": "1",
		}, map[string]Quota{"requests": {60, 30, time.Time{}, now}, "tokens": {500000, 1, time.Time{}, now}}},
		{"xai", map[string]string{"x-ratelimit-limit-requests": "480", "x-ratelimit-remaining-requests": "479"}, map[string]Quota{"requests": {480, 479, time.Time{}, now}}},
		{"no limit", map[string]string{"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s"}, map[string]Quota{"tokens": {0, 0, in(time.Second), now}}},
		{"more than the limit", map[string]string{"x-ratelimit-limit-tokens": "5", "x-ratelimit-remaining-tokens": "7"}, map[string]Quota{"tokens": {5, 5, time.Time{}, now}}},
		{"garbage", map[string]string{"x-ratelimit-limit-tokens": "5", "x-ratelimit-remaining-tokens": "-7", "x-ratelimit-remaining-requests": "many", "x-ratelimit-remaining": "1e400"}, nil},
		{"garbage resets", map[string]string{
			"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "-5s",
			"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "99999999h",
			"anthropic-ratelimit-input-tokens-remaining": "1", "anthropic-ratelimit-input-tokens-reset": "2026-13-45T99:99:99Z",
			"anthropic-ratelimit-output-tokens-remaining": "1", "anthropic-ratelimit-output-tokens-reset": "1970-01-01T00:00:00Z",
		}, map[string]Quota{"tokens": {0, 7, time.Time{}, now}, "requests": {0, 7, time.Time{}, now}, "input_tokens": {0, 1, time.Time{}, now}, "output_tokens": {0, 1, time.Time{}, now}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			for name, v := range c.header {
				h.Set(name, v)
			}
			var a account
			a.learn(h, now)
			var got map[string]Quota
			for kind, q := range a.quotas {
				if !q.Seen.IsZero() {
					if got == nil {
						got = make(map[string]Quota)
					}
					q.Reset = q.Reset.UTC()
					got[Kind(kind).String()] = q
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestHeadroom(t *testing.T) {
	r := pool()
	learn := func(h map[string]string) {
		header := http.Header{}
		for name, v := range h {
			header.Set(name, v)
		}
		c := r.Begin(tgt, "a", Settings{})
		c.Headers(200, header)
		c.End(good)
	}
	want := func(want float64, when string) {
		t.Helper()
		if got := r.Account("p", "a", "m").Headroom; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	want(1, "unknown")
	learn(map[string]string{
		"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "90", "x-ratelimit-reset-requests": "10s",
		"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "200", "x-ratelimit-reset-tokens": "40s",
	})
	want(0.2, "the least")
	r.clock.Add(20 * time.Second)
	want(0.6, "half of the way")
	r.clock.Add(20 * time.Second)
	want(1, "at the reset")
	learn(map[string]string{"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "0"})
	want(0, "used up")
	r.clock.Add(30 * time.Second)
	want(0.5, "half of the minute that is taken for its window")
	learn(map[string]string{"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "10s"})
	want(1, "something left of nobody knows what")
	learn(map[string]string{"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "10s"})
	want(0, "nothing left of nobody knows what")
	if got := r.Account("p", "b", "m").Headroom; got != 1 {
		t.Errorf("the other account: %v", got)
	}
	if got := r.Account("p", "a", "n").Headroom; got != 1 {
		t.Errorf("another model: %v", got)
	}
	r.Reset("p")
	want(1, "reset")
}

// TestRetryAfter is the table of what is believed.
func TestRetryAfter(t *testing.T) {
	now := newClock().Now()
	for _, c := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"none", http.Header{}, 0},
		{"seconds", http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		{"seconds with a fraction", http.Header{"Retry-After": {"0.5"}}, 500 * time.Millisecond},
		{"zero", http.Header{"Retry-After": {"0"}}, 0},
		{"blanks", http.Header{"Retry-After": {" 7 "}}, 7 * time.Second},
		{"milliseconds first", http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"250"}}, 250 * time.Millisecond},
		{"azure", http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"0"}}, time.Second},
		{"a date", http.Header{"Retry-After": {"Fri, 02 Jan 2026 03:05:05 GMT"}}, time.Minute},
		{"a date of RFC 850", http.Header{"Retry-After": {"Friday, 02-Jan-26 03:05:05 GMT"}}, time.Minute},
		{"a date of C", http.Header{"Retry-After": {"Fri Jan  2 03:05:05 2026"}}, time.Minute},
		{"a past date", http.Header{"Retry-After": {"Fri, 02 Jan 2026 03:04:04 GMT"}}, 0},
		{"negative", http.Header{"Retry-After": {"-7"}}, 0},
		{"negative milliseconds", http.Header{"Retry-After-Ms": {"-7"}, "Retry-After": {"2"}}, 2 * time.Second},
		{"garbage", http.Header{"Retry-After": {"soon"}}, 0},
		{"garbage as long as a date", http.Header{"Retry-After": {"whenever you feel like it"}}, 0},
		{"an exponent", http.Header{"Retry-After": {"1e9"}}, 0},
		{"infinity", http.Header{"Retry-After": {"Inf"}}, 0},
		{"huge", http.Header{"Retry-After": {"99999999999999999999"}}, math.MaxInt64},
		{"a billion", http.Header{"Retry-After": {"1000000000"}}, 1e9 * time.Second},
		{"empty", http.Header{"Retry-After": {""}}, 0},
		{"no values", http.Header{"Retry-After": {}}, 0},
	} {
		if got := RetryAfter(c.header, now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// FuzzHeaders holds the parsers of what vendors send to their bounds.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"6m0s", "12ms", "17.399999999s", "0", "1767323055000", "2026-01-02T03:04:05Z", "Fri, 02 Jan 2026 03:05:05 GMT", "1e9", "-1", "99999999999999999999999", "9h9h9h", ".", "1.", "NaN", "0x1p4"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, limit, remaining, reset string) {
		now := newClock().Now()
		if d := RetryAfter(http.Header{"Retry-After": {reset}, "Retry-After-Ms": {remaining}}, now); d < 0 {
			t.Errorf("wait of %s", d)
		}
		for _, n := range quotaHeaders {
			h := http.Header{n.limit: {limit}, n.remaining: {remaining}}
			if n.reset != "" {
				h[n.reset] = []string{reset}
			}
			var a account
			a.learn(h, now)
			q := a.quotas[n.kind]
			if q.Remaining < 0 || q.Limit < 0 || q.Limit > 0 && q.Remaining > q.Limit {
				t.Errorf("quota %+v", q)
			}
			if !q.Reset.IsZero() && (!q.Reset.After(now) || q.Reset.Sub(now) > maxReset) {
				t.Errorf("reset %s", q.Reset)
			}
			for _, later := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, maxReset} {
				if room := a.headroom(now.Add(later)); !(room >= 0 && room <= 1) {
					t.Errorf("headroom %v of %+v after %s", room, q, later)
				}
			}
			if a.headroom(now.Add(maxReset)) != 1 {
				t.Errorf("%+v never recovers", q)
			}
			if w := a.exhausted(now); w < 0 || w > maxReset {
				t.Errorf("used up for %s", w)
			}
		}
	})
}
