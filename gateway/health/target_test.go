package health

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	good = Result{Class: OK}
	bad  = Result{Class: Failed, Reason: "status 503"}
)

// TestEviction takes a target through its states, step by step.
func TestEviction(t *testing.T) {
	after := func(d time.Duration) func(*rig) { return func(r *rig) { r.clock.Add(d) } }
	calls := func(n int, result Result) func(*rig) { return func(r *rig) { r.times(n, result) } }
	withSettings := func(n int, s Settings, result Result) func(*rig) {
		return func(r *rig) {
			for range n {
				r.callAs("", s, result)
			}
		}
	}
	hint := func(d time.Duration) Result { return Result{Class: Failed, RetryAfter: d} }
	for _, c := range []struct {
		name  string
		steps []func(*rig)
		state State
		until time.Duration // from the end
	}{
		{name: "unknown"},
		{name: "two failures", steps: []func(*rig){calls(2, bad)}},
		{name: "three failures", steps: []func(*rig){calls(3, bad)}, state: Open, until: time.Second},
		{name: "a success between", steps: []func(*rig){calls(2, bad), calls(1, good), calls(2, bad)}},
		{name: "the client's mistakes between", steps: []func(*rig){calls(2, bad), calls(5, Result{Class: ClientError}), calls(1, bad)}, state: Open, until: time.Second},
		{name: "clients that leave between", steps: []func(*rig){calls(2, bad), calls(5, Result{Class: Abandoned}), calls(1, bad)}, state: Open, until: time.Second},
		{name: "only mistakes of clients", steps: []func(*rig){calls(100, Result{Class: ClientError})}},
		{name: "only clients that leave", steps: []func(*rig){calls(100, Result{Class: Abandoned})}},
		{name: "rate limits are the account's", steps: []func(*rig){calls(100, Result{Class: RateLimit})}},
		{name: "refused credentials are the account's", steps: []func(*rig){calls(100, Result{Class: Auth})}},
		{name: "a failure too long ago", steps: []func(*rig){calls(1, bad), after(30*time.Second + 1), calls(2, bad)}},
		{name: "failures just within", steps: []func(*rig){calls(1, bad), after(15 * time.Second), calls(1, bad), after(15 * time.Second), calls(1, bad)}, state: Open, until: time.Second},
		{name: "a window that slides", steps: []func(*rig){calls(1, bad), after(29 * time.Second), calls(1, bad), after(2 * time.Second), calls(1, bad)}},
		{name: "its own settings", steps: []func(*rig){withSettings(4, Settings{MaxFails: 5}, bad)}},
		{name: "its own settings, reached", steps: []func(*rig){withSettings(5, Settings{MaxFails: 5}, bad)}, state: Open, until: time.Second},
		{name: "one failure is enough", steps: []func(*rig){withSettings(1, Settings{MaxFails: 1}, bad)}, state: Open, until: time.Second},
		{name: "never", steps: []func(*rig){withSettings(100, Settings{MaxFails: -1}, bad)}},
		{name: "the provider says when", steps: []func(*rig){calls(2, bad), calls(1, hint(42*time.Second))}, state: Open, until: 42 * time.Second},
		{name: "the provider says nonsense", steps: []func(*rig){calls(2, bad), calls(1, hint(1e9*time.Second))}, state: Open, until: 5 * time.Minute},
		{name: "the provider says yesterday", steps: []func(*rig){calls(2, bad), calls(1, hint(-time.Hour))}, state: Open, until: time.Second},
		{name: "half open", steps: []func(*rig){calls(3, bad), after(time.Second)}, state: HalfOpen},
		{name: "a failed probe", steps: []func(*rig){calls(3, bad), after(time.Second), calls(1, bad)}, state: Open, until: 2 * time.Second},
		{name: "two failed probes", steps: []func(*rig){calls(3, bad), after(time.Second), calls(1, bad), after(2 * time.Second), calls(1, bad)}, state: Open, until: 4 * time.Second},
		{
			name: "ten failed probes", state: Open, until: 5 * time.Second,
			steps: []func(*rig){calls(3, bad), func(r *rig) {
				for range 10 {
					r.clock.Add(5 * time.Second)
					r.call(bad)
				}
			}},
		},
		{name: "calls for lack of another lengthen nothing", steps: []func(*rig){calls(50, bad)}, state: Open, until: time.Second},
		{name: "but the provider's word does", steps: []func(*rig){calls(3, bad), calls(1, hint(9*time.Second))}, state: Open, until: 9 * time.Second},
		{name: "a call for lack of another works", steps: []func(*rig){calls(3, bad), calls(1, good)}},
		{name: "an answer that blames the client", steps: []func(*rig){calls(3, bad), calls(1, Result{Class: ClientError})}},
		{name: "recovery forgets", steps: []func(*rig){calls(3, bad), calls(1, good), calls(2, bad)}},
		{name: "flapping", steps: []func(*rig){calls(3, bad), after(time.Second), calls(1, good), calls(3, bad)}, state: Open, until: 2 * time.Second},
		{name: "down again much later", steps: []func(*rig){calls(3, bad), after(time.Second), calls(1, good), after(time.Minute), calls(3, bad)}, state: Open, until: time.Second},
		{
			name: "half of twenty", state: Open, until: time.Second,
			steps: []func(*rig){func(r *rig) {
				for range 10 {
					r.call(good)
					r.call(bad)
				}
			}},
		},
		{
			name: "half of nineteen", state: Closed,
			steps: []func(*rig){func(r *rig) {
				for range 9 {
					r.call(good)
					r.call(bad)
				}
				r.call(bad)
			}},
		},
		{
			name: "less than half", state: Closed,
			steps: []func(*rig){func(r *rig) {
				for range 100 {
					r.times(2, good)
					r.call(bad)
				}
			}},
		},
		{
			name: "half, but of too long a time", state: Closed,
			steps: []func(*rig){func(r *rig) {
				for range 50 {
					r.call(good)
					if r.call(bad); r.state() != Closed {
						return
					}
					r.clock.Add(4 * time.Second)
				}
			}},
		},
		{name: "reset", steps: []func(*rig){calls(3, bad), func(r *rig) { r.Reset("p") }}},
		{name: "reset of another", steps: []func(*rig){calls(3, bad), func(r *rig) { r.Reset("q") }}, state: Open, until: time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig()
			for _, step := range c.steps {
				step(r)
			}
			v := r.Look(tgt)
			if v.State != c.state {
				t.Fatalf("state %s, want %s: %+v", v.State, c.state, v)
			}
			if got := v.Until.Sub(r.clock.Now()); v.State == Open && got != c.until {
				t.Errorf("until %s, want %s", got, c.until)
			}
			if other := r.Look(Target{"p", "other"}); other.State != Closed {
				t.Errorf("another model of the provider: %+v", other)
			}
		})
	}
}

// TestOneProbe holds that one call at a time finds out whether a target is up
// again, and what its end means.
func TestOneProbe(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(*rig, *Call)
		state State
		again bool // whether the next call may be made
	}{
		{"success", func(_ *rig, c *Call) { c.End(good) }, Closed, true},
		{"failure", func(_ *rig, c *Call) { c.End(bad) }, Open, false},
		{"first token", func(_ *rig, c *Call) { c.FirstToken(time.Second) }, Closed, true},
		{"slow first token", func(_ *rig, c *Call) { c.FirstToken(time.Minute) }, Open, false},
		{"the client leaves", func(_ *rig, c *Call) { c.End(Result{Class: Abandoned}) }, HalfOpen, true},
		{"the client leaves what was slow", func(r *rig, c *Call) { r.clock.Add(time.Minute); c.End(Result{Class: Abandoned}) }, Open, false},
		{"the client's mistake", func(_ *rig, c *Call) { c.End(Result{Class: ClientError}) }, Closed, true},
		{"no end yet", func(*rig, *Call) {}, HalfOpen, false},
		{"no end for long", func(r *rig, _ *Call) { r.clock.Add(probeLease) }, HalfOpen, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig()
			s := Settings{UnhealthyLatency: 10 * time.Second}
			r.times(3, bad)
			if _, ok := r.Try(tgt, "", s); ok {
				t.Fatal("a call to a target that is open")
			}
			r.clock.Add(time.Second)
			probe, ok := r.Try(tgt, "", s)
			if !ok {
				t.Fatal("no probe of a target that is half open")
			}
			if _, ok := r.Try(tgt, "", s); ok {
				t.Fatal("two probes")
			}
			c.end(r, &probe)
			if got := r.state(); got != c.state {
				t.Errorf("state %s, want %s", got, c.state)
			}
			next, ok := r.Try(tgt, "", s)
			if ok != c.again {
				t.Errorf("the next call: %v", ok)
			}
			next.End(good)
			probe.End(Result{Class: Abandoned})
			if v := r.Look(tgt); v.InFlight != 0 {
				t.Errorf("%d in flight", v.InFlight)
			}
		})
	}
}

// TestLateProbe holds that a probe that was given up does not take the place
// of the one after it.
func TestLateProbe(t *testing.T) {
	r := newRig()
	r.times(3, bad)
	r.clock.Add(time.Second)
	first, _ := r.Try(tgt, "", Settings{})
	r.clock.Add(probeLease)
	if _, ok := r.Try(tgt, "", Settings{}); !ok {
		t.Fatal("the first probe is waited for")
	}
	first.End(Result{Class: Abandoned})
	if _, ok := r.Try(tgt, "", Settings{}); ok {
		t.Error("a third probe while the second is out")
	}
}

// TestCallsOfAnEarlierSpell holds that what was under way when a target went
// down or came back says nothing of it now.
func TestCallsOfAnEarlierSpell(t *testing.T) {
	r := newRig()
	var before [100]Call
	for i := range before {
		before[i] = r.Begin(tgt, "", Settings{})
	}
	for i := range 40 {
		before[i].End(bad)
	}
	if v := r.Look(tgt); v.State != Open || v.Until != r.clock.Now().Add(time.Second) {
		t.Fatalf("one outage: %+v", v)
	}
	r.clock.Add(time.Second)
	before[40].FirstToken(time.Second)
	before[40].End(good)
	before[41].End(bad)
	before[42].End(Result{Class: ClientError})
	if got := r.state(); got != HalfOpen {
		t.Errorf("late ends: %s", got)
	}
	probe, _ := r.Try(tgt, "", Settings{})
	probe.End(good)
	for i := 43; i < 100; i++ {
		before[i].End(bad)
	}
	if v := r.Look(tgt); v.State != Closed || v.Failures != 0 || v.InFlight != 0 {
		t.Errorf("after recovery: %+v", v)
	}
	want := []string{"target_unhealthy p/m: status 503", "target_healthy p/m"}
	if diff := cmp.Diff(want, r.heard(t)); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
}

// TestSlowTokens holds that a target whose first token is slow is evicted
// although its calls succeed, and that a stream which is cut after its first
// token still counts.
func TestSlowTokens(t *testing.T) {
	r := newRig()
	s := Settings{UnhealthyLatency: 2 * time.Second}
	call := func(d time.Duration, result Result) {
		c := r.Begin(tgt, "", s)
		c.FirstToken(d)
		c.FirstToken(time.Hour) // there is one only
		c.End(result)
	}
	call(2*time.Second+1, bad) // once, not twice
	call(2*time.Second+1, good)
	if v := r.Look(tgt); v.State != Closed || v.Failures != 2 {
		t.Errorf("two slow calls: %+v", v)
	}
	call(2*time.Second, good)
	if v := r.Look(tgt); v.Failures != 0 {
		t.Errorf("one that is fast: %+v", v)
	}
	for range 3 {
		call(time.Second, bad)
	}
	if got := r.state(); got != Open {
		t.Errorf("three streams that were cut: %s", got)
	}
}

func TestEndIsIdempotent(t *testing.T) {
	r := newRig()
	c := r.Begin(tgt, "", Settings{MaxFails: 2})
	for range 5 {
		c.End(bad)
	}
	c.FirstToken(time.Second)
	c.Headers(429, http.Header{"Retry-After": {"5"}})
	if v := r.Look(tgt); v.State != Closed || v.InFlight != 0 || v.Failures != 1 || v.Latency != 0 {
		t.Errorf("%+v", v)
	}
	var none Call
	none.Headers(200, nil)
	none.FirstToken(1)
	none.End(good)
}

func TestLatency(t *testing.T) {
	r := newRig()
	token := func(d time.Duration) {
		c := r.Begin(tgt, "", Settings{})
		c.FirstToken(d)
		c.End(good)
	}
	token(100 * time.Millisecond)
	token(time.Second)
	if got := r.Look(tgt).Latency; got != time.Second {
		t.Errorf("a peak: %s", got)
	}
	r.clock.Add(fade)
	token(100 * time.Millisecond)
	if got := r.Look(tgt).Latency; got < 400*time.Millisecond || got > 450*time.Millisecond {
		t.Errorf("falling: %s", got)
	}
	r.clock.Add(10 * fade)
	if got := r.Look(tgt).Latency; got > time.Millisecond {
		t.Errorf("idle: %s", got)
	}
	for i := range 17 {
		if got := r.Look(tgt).P95; got != 0 {
			t.Fatalf("p95 %s of %d", got, i+3)
		}
		token(100 * time.Millisecond)
	}
	for range 80 {
		token(100 * time.Millisecond)
	}
	if got := r.Look(tgt).P95; got < 100*time.Millisecond || got > 115*time.Millisecond {
		t.Errorf("p95 %s", got)
	}
	for range 10 {
		token(2 * time.Second)
	}
	if got := r.Look(tgt).P95; got < 2*time.Second || got > 2300*time.Millisecond {
		t.Errorf("p95 with a tail: %s", got)
	}
}

// TestOneTry holds that of a target that was slow the average fades while it is idle,
// and not while a call is finding out.
func TestOneTry(t *testing.T) {
	r := newRig()
	try, other := r.Begin(tgt, "", Settings{}), r.Begin(tgt, "", Settings{})
	other.FirstToken(time.Second)
	for _, tt := range []struct {
		when      string
		then      func()
		low, high time.Duration
	}{
		{"while one call waits", func() {}, time.Second, time.Second},
		{"while only an answer goes on", try.Abandon, 0, time.Millisecond},
		{"idle", func() { other.End(good) }, 0, time.Millisecond},
	} {
		tt.then()
		r.clock.Add(10 * fade)
		if got := r.Look(tgt).Latency; got < tt.low || got > tt.high {
			t.Errorf("%s: %s", tt.when, got)
		}
	}
}

// TestP95Bound holds the histogram to its error for all times.
func TestP95Bound(t *testing.T) {
	rnd := seeded(1)
	for range 2000 {
		d := time.Duration(rnd.Int64N(int64(time.Second) << rnd.IntN(10)))
		var l latency
		for range enoughSamples {
			l.add(newClock().Now(), d)
		}
		if low := max(d, 0); l.p95 < low || float64(l.p95) > max(float64(d)*1.13, float64(1200*time.Microsecond)) {
			t.Fatalf("p95 of %s is %s", d, l.p95)
		}
	}
}

// TestBounded holds that invented model names do not fill the memory, nor push
// out what is known or configured, and that they make room in time.
func TestBounded(t *testing.T) {
	r := newRig()
	r.times(3, bad)
	invent := func(prefix string) {
		for i := range 2 * maxTargets {
			c := r.Begin(Target{"p", fmt.Sprint(prefix, i)}, "", Settings{})
			c.End(bad)
		}
	}
	invent("a")
	if n := r.known.Load(); n > maxTargets {
		t.Errorf("%d targets are remembered", n)
	}
	if r.state() == Closed {
		t.Error("a known target was forgotten")
	}
	late := Target{"p", "late"}
	r.Configure([]Provider{{Name: "p"}}, []Target{late})
	for range 3 {
		c := r.Begin(late, "", Settings{})
		c.End(bad)
	}
	if got := r.Look(late).State; got != Open {
		t.Errorf("a configured target in a full table: %s", got)
	}
	r.clock.Add(idleTime)
	invent("b")
	if r.find(Target{"p", "a1"}) != nil && r.find(Target{"p", "a2"}) != nil {
		t.Error("idle targets make no room")
	}
	if r.state() == Closed || r.Look(late).State == Closed {
		t.Error("a target that is down was forgotten")
	}
	total := 0
	r.each(func(*target) { total++ })
	if int64(total) != r.known.Load() || total > maxTargets+1 {
		t.Errorf("%d targets, %d counted", total, r.known.Load())
	}
}

func TestNoAllocations(t *testing.T) {
	r := newRig()
	r.Configure([]Provider{{Name: "p", Accounts: []string{"a", "b"}}}, []Target{tgt})
	h := http.Header{}
	for name, v := range map[string]string{
		"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "50", "x-ratelimit-reset-requests": "6m0s",
		"anthropic-ratelimit-tokens-limit": "100", "anthropic-ratelimit-tokens-remaining": "50", "anthropic-ratelimit-tokens-reset": "2026-01-02T03:05:00Z",
	} {
		h.Set(name, v)
	}
	retry := http.Header{"Retry-After": {"3"}}
	var sum int64
	if n := testing.AllocsPerRun(1000, func() {
		v := r.Look(tgt)
		a := r.Account("p", "a", "m")
		c, ok := r.Try(tgt, "a", Settings{})
		if !ok || !v.Healthy || a.Disabled {
			t.Fatal("not healthy")
		}
		budget := r.Retries(tgt)
		budget.First()
		if budget.Allow() {
			sum++
		}
		c.Headers(200, h)
		c.Headers(503, retry)
		c.FirstToken(time.Second)
		c.End(good)
	}); n != 0 {
		t.Errorf("%v allocations for a call", n)
	}
}
