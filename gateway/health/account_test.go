package health

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pool is a rig whose provider has two accounts.
func pool() *rig {
	r := newRig()
	r.Configure([]Provider{{Name: "p", Endpoint: "e", Accounts: []string{"a", "b"}}}, []Target{tgt})
	return r
}

// may reports whether a healthy call could be made, without making it.
func (r *rig) may(key Target, account string) bool {
	c, ok := r.Try(key, account, Settings{})
	c.End(Result{Class: Abandoned})
	return ok
}

func TestCooldown(t *testing.T) {
	limited := func(d time.Duration) Result {
		return Result{Class: RateLimit, RetryAfter: d, Reason: "status 429"}
	}
	header := func(r *rig, h http.Header) {
		c := r.Begin(tgt, "a", Settings{})
		c.Headers(http.StatusTooManyRequests, h)
		c.End(limited(0))
	}
	for _, c := range []struct {
		name string
		do   func(*rig)
		want time.Duration
	}{
		{"the provider says when", func(r *rig) { r.callAs("a", Settings{}, limited(7*time.Second)) }, 7 * time.Second},
		{"the provider says nonsense", func(r *rig) { r.callAs("a", Settings{}, limited(1e6*time.Second)) }, 5 * time.Minute},
		{"nobody says", func(r *rig) { r.callAs("a", Settings{}, limited(0)) }, time.Second},
		{"its header says", func(r *rig) { header(r, http.Header{"Retry-After": {"11"}}) }, 11 * time.Second},
		{"its header says nonsense", func(r *rig) { header(r, http.Header{"Retry-After": {"-5"}}) }, time.Second},
		{"the quota that is used up says", func(r *rig) {
			header(r, http.Header{
				"X-Ratelimit-Remaining-Requests": {"12"}, "X-Ratelimit-Reset-Requests": {"40s"},
				"X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"1.5s"},
			})
		}, 1500 * time.Millisecond},
		{"twice at once", func(r *rig) {
			a, b := r.Begin(tgt, "a", Settings{}), r.Begin(tgt, "a", Settings{})
			r.clock.Add(time.Millisecond)
			a.End(limited(0))
			b.End(limited(0))
		}, time.Second},
		{"again", func(r *rig) {
			r.callAs("a", Settings{}, limited(0))
			r.clock.Add(time.Second)
			r.callAs("a", Settings{}, limited(0))
		}, 2 * time.Second},
		{"again and again", func(r *rig) {
			for range 20 {
				r.callAs("a", Settings{}, limited(0))
				r.clock.Add(30 * time.Second)
			}
			r.callAs("a", Settings{}, limited(0))
		}, 30 * time.Second},
		{"again after a success", func(r *rig) {
			r.callAs("a", Settings{}, limited(0))
			r.clock.Add(time.Second)
			r.callAs("a", Settings{}, good)
			r.callAs("a", Settings{}, limited(0))
		}, time.Second},
		{"a shorter word after a longer", func(r *rig) {
			r.callAs("a", Settings{}, limited(time.Minute))
			r.callAs("a", Settings{}, limited(time.Second))
		}, time.Minute},
		{"the other account", func(r *rig) { r.callAs("b", Settings{}, limited(time.Minute)) }, 0},
		{"reset", func(r *rig) {
			r.callAs("a", Settings{}, limited(time.Minute))
			r.Reset("p")
		}, 0},
		{"an answer from before a reset", func(r *rig) {
			c := r.Begin(tgt, "a", Settings{})
			r.clock.Add(time.Second)
			r.Reset("p")
			c.End(limited(0))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := pool()
			c.do(r)
			now := r.clock.Now()
			if got := max(0, r.Account("p", "a", "m").CoolUntil.Sub(now)); got != c.want {
				t.Errorf("cools for %s, want %s", got, c.want)
			}
			if r.may(tgt, "a") != (c.want == 0) {
				t.Errorf("a call may be made: %v", c.want > 0)
			}
			r.clock.Add(c.want)
			if !r.may(tgt, "a") {
				t.Error("no call may be made when the time is over")
			}
		})
	}
}

// TestRateLimitsOfAPool holds that a target is healthy as long as one account
// is not cooling, and that a cooldown concerns one model only.
func TestRateLimitsOfAPool(t *testing.T) {
	r := pool()
	r.callAs("a", Settings{}, Result{Class: RateLimit, RetryAfter: time.Minute, Reason: "status 429"})
	if v := r.Look(tgt); !v.Healthy {
		t.Errorf("one of two: %+v", v)
	}
	r.callAs("b", Settings{}, Result{Class: RateLimit, RetryAfter: 20 * time.Second})
	if v := r.Look(tgt); v.Healthy || v.State != Closed || v.Until != r.clock.Now().Add(20*time.Second) {
		t.Errorf("both: %+v", v)
	}
	if other := (Target{"p", "n"}); !r.Look(other).Healthy || !r.may(other, "a") {
		t.Error("another model is limited too")
	}
	r.clock.Add(20 * time.Second)
	if v := r.Look(tgt); !v.Healthy || !v.Until.IsZero() {
		t.Errorf("one is back: %+v", v)
	}
	want := []string{"account_cooling p/m a: status 429", "account_cooling p/m b"}
	if diff := cmp.Diff(want, r.heard(t)); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
}

func TestDisabledAccount(t *testing.T) {
	r := pool()
	refused := Result{Class: Auth, Reason: "status 401"}
	other := Target{"p", "n"}
	before := r.Begin(tgt, "a", Settings{})
	r.clock.Add(time.Second)
	for range 5 {
		r.callAs("a", Settings{}, refused)
	}
	before.End(good) // says nothing of now
	a := r.Account("p", "a", "m")
	if !a.Disabled || a.RetryAt != r.clock.Now().Add(authRetry) {
		t.Errorf("after a refusal: %+v", a)
	}
	if r.may(tgt, "a") || r.may(other, "a") || !r.may(tgt, "b") {
		t.Error("the wrong accounts are called")
	}
	if !r.Look(tgt).Healthy {
		t.Error("the other account does not count")
	}
	r.callAs("b", Settings{}, refused)
	if v, o := r.Look(tgt), r.Look(other); v.Healthy || o.Healthy || v.State != Closed {
		t.Errorf("no account is left: %+v %+v", v, o)
	}

	r.clock.Add(authRetry)
	trial, ok := r.Try(other, "a", Settings{})
	if !ok || r.may(tgt, "a") {
		t.Fatal("not one call tries again")
	}
	trial.End(refused)
	if r.may(tgt, "a") {
		t.Error("tried again at once")
	}
	r.clock.Add(authRetry)
	trial, _ = r.Try(tgt, "a", Settings{})
	trial.End(bad) // says nothing of the credential
	trial, ok = r.Try(tgt, "a", Settings{})
	if !ok {
		t.Fatal("a trial that showed nothing was the last")
	}
	trial.End(good)
	if a := r.Account("p", "a", "m"); a.Disabled || !r.may(tgt, "a") || !r.Look(tgt).Healthy {
		t.Errorf("after a success: %+v", a)
	}
	want := []string{"account_disabled p a: status 401", "account_disabled p b: status 401", "account_enabled p a: accepted"}
	if diff := cmp.Diff(want, r.heard(t)); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
	r.Reset("p")
	r.Reset("p")
	if diff := cmp.Diff([]string{"account_enabled p b: reset"}, r.heard(t)); diff != "" {
		t.Errorf("reset (-want +got)\n%s", diff)
	}
}

// TestConfigure holds what a reload keeps and what it forgets.
func TestConfigure(t *testing.T) {
	sick := func(r *rig) {
		r.times(3, bad)
		r.callAs("a", Settings{}, Result{Class: RateLimit, RetryAfter: time.Minute})
		r.callAs("b", Settings{}, Result{Class: Auth})
		r.heard(t)
	}
	type after struct {
		Open, Cooling, Disabled bool
		Changes                 []string
	}
	for _, c := range []struct {
		name      string
		providers []Provider
		want      after
	}{
		{
			"the same",
			[]Provider{{"p", "e", []string{"a", "b"}}},
			after{true, true, true, nil},
		},
		{
			"more",
			[]Provider{{"q", "e", nil}, {"p", "e", []string{"b", "c", "a"}}},
			after{true, true, true, nil},
		},
		{
			"another key for a",
			[]Provider{{"p", "e", []string{"c", "b"}}},
			after{true, false, true, nil},
		},
		{
			"another key for b",
			[]Provider{{"p", "e", []string{"a", "c"}}},
			after{true, true, false, []string{"account_enabled p b: configuration"}},
		},
		{
			"another endpoint",
			[]Provider{{"p", "f", []string{"a", "b"}}},
			after{false, false, false, []string{"account_enabled p b: configuration", "target_healthy p/m: configuration"}},
		},
		{
			"another provider",
			[]Provider{{"q", "e", nil}},
			after{false, false, false, []string{"target_healthy p/m: configuration", "account_enabled p b: configuration"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := pool()
			sick(r)
			late := r.Begin(tgt, "b", Settings{})
			cooled := r.Begin(tgt, "a", Settings{})
			others := [2]Call{r.Begin(Target{"p", "n"}, "a", Settings{}), r.Begin(Target{"p", "n"}, "a", Settings{})}
			r.clock.Add(time.Millisecond)
			r.Configure(c.providers, nil)
			got := after{
				Open:     r.state() != Closed,
				Cooling:  r.Account("p", "a", "m").CoolUntil.After(r.clock.Now()),
				Disabled: r.Account("p", "b", "m").Disabled,
				Changes:  r.heard(t),
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			// What calls with the old keys still say must not hit the new ones.
			late.End(Result{Class: Auth})
			cooled.End(Result{Class: RateLimit, RetryAfter: 2 * time.Minute})
			if !c.want.Disabled && r.Account("p", "b", "m").Disabled {
				t.Error("a call with the old key disabled the new one")
			}
			if !c.want.Cooling && r.Account("p", "a", "m").CoolUntil.After(r.clock.Now()) {
				t.Error("a call with the old key cools the new one")
			}
			others[0].End(Result{Class: RateLimit})
			others[1].End(Result{Class: Auth})
			var want []string
			if c.want.Cooling { // a is what it was
				want = []string{"account_cooling p/n a", "account_disabled p a"}
			}
			if diff := cmp.Diff(want, r.heard(t)); diff != "" {
				t.Errorf("changes of calls that began before (-want +got)\n%s", diff)
			}
		})
	}
}

// TestAccountsOfThePast holds that accounts which only calls of an earlier
// configuration use keep no target healthy.
func TestAccountsOfThePast(t *testing.T) {
	r := pool()
	r.callAs("old", Settings{}, good)
	for _, account := range []string{"a", "b"} {
		r.callAs(account, Settings{}, Result{Class: RateLimit, RetryAfter: time.Minute})
	}
	if v := r.Look(tgt); v.Healthy {
		t.Errorf("%+v", v)
	}
	if accounts := r.Report("p").Accounts; len(accounts) != 2 {
		t.Errorf("accounts: %+v", accounts)
	}
}

// TestAccountsInUse holds that calls are counted by account.
func TestAccountsInUse(t *testing.T) {
	r := pool()
	a, b := r.Begin(tgt, "a", Settings{}), r.Begin(tgt, "b", Settings{})
	c := r.Begin(tgt, "a", Settings{})
	if got := r.Account("p", "a", "m").InFlight; got != 2 {
		t.Errorf("%d calls with a", got)
	}
	for _, call := range []*Call{&a, &b, &c} {
		call.End(good)
		call.End(good)
	}
	if got := r.Account("p", "a", "m").InFlight; got != 0 {
		t.Errorf("%d calls with a after their end", got)
	}
	if got := r.Account("nobody", "a", "m"); got.Headroom != 1 || got.Disabled {
		t.Errorf("unknown: %+v", got)
	}
}
