package gateway

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirproxy/weir/gateway/capacity"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/wire"
)

// checked is a provider whose targets are checked, with one place.
type checked struct {
	small
	accounts []string
}

func (*checked) Recheck() Recheck     { return Recheck{Interval: 10 * time.Second, Timeout: time.Minute} }
func (c *checked) Accounts() []string { return c.accounts }

// recheckRig is a gateway in a bubble, with the checks that it makes.
type recheckRig struct {
	*Gateway
	asked  chan *Check
	cancel context.CancelFunc
}

func newRecheckRig(t *testing.T) *recheckRig {
	t.Helper()
	g, err := New(Config{
		Providers: map[string]Provider{
			"checked": &checked{small{fake{ops: openAI}}, []string{"a", "b"}},
			"mute":    &checked{small{fake{ops: []*wire.Operation{wire.Embeddings}}}, []string{"a"}},
			"left":    &fake{ops: openAI},
		},
		Models: []*Model{model("m", Target{"checked", "m"}, Target{"checked", "n"}, Target{"left", "m"}), model("e", Target{"mute", "e"})},
		Health: health.New(SystemClock{}, func() float64 { return 0.5 }), Clock: SystemClock{}, Random: rand.Uint64,
		Capacity: capacity.NewSet(queue.NewSet(queue.System{})),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Health.Configure([]health.Provider{{Name: "checked", Endpoint: "e", Accounts: []string{"a", "b"}}, {Name: "mute", Endpoint: "e"}, {Name: "left", Endpoint: "e"}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	r := &recheckRig{Gateway: g, asked: make(chan *Check, 100), cancel: cancel}
	g.Recheck(ctx, func(_ context.Context, check *Check, timeout time.Duration) {
		if timeout != time.Minute {
			t.Errorf("timeout %s", timeout)
		}
		r.asked <- check
	})
	return r
}

// fail takes a target down; it is open for a second.
func (r *recheckRig) fail(provider, model string) {
	for range 3 {
		call := r.Health.Begin(health.Target{Provider: provider, Model: model}, "a", health.Settings{})
		call.End(health.Result{Class: health.Failed})
	}
}

// wait lets time pass and returns the check that was made, nil for none.
func (r *recheckRig) wait(t *testing.T, d time.Duration) *Check {
	t.Helper()
	time.Sleep(d) // the bubble's time
	synctest.Wait()
	if len(r.asked) > 1 {
		t.Fatalf("%d checks at once", len(r.asked))
	}
	select {
	case check := <-r.asked:
		return check
	default:
		return nil
	}
}

// TestRecheck holds whom the gateway checks by itself, and when.
func TestRecheck(t *testing.T) {
	failed := health.Result{Class: health.Failed}
	for _, tt := range []struct {
		name string
		do   func(*testing.T, *recheckRig)
	}{
		{"healthy", func(t *testing.T, r *recheckRig) {
			if r.wait(t, time.Hour) != nil {
				t.Error("checked")
			}
		}},
		{"down, until it is up", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			if r.wait(t, 9*time.Second-1) != nil {
				t.Error("too early")
			}
			check := r.wait(t, 2*time.Second+1)
			if check == nil || check.Route.Target != (Target{"checked", "m"}) || check.Route.Operation != wire.Chat || check.Account != 0 {
				t.Fatalf("%+v", check)
			}
			check.End(failed)
			if check = r.wait(t, 11*time.Second); check == nil {
				t.Fatal("not checked again")
			}
			check.End(health.Result{Class: health.OK})
			if r.Health.Look(health.Target{Provider: "checked", Model: "m"}).State != health.Closed {
				t.Error("still open")
			}
			if r.wait(t, time.Hour) != nil {
				t.Error("checked although it is up")
			}
		}},
		{"one at a time", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			check := r.wait(t, 11*time.Second)
			if check == nil || r.wait(t, time.Minute) != nil { // the probe's lease is longer
				t.Fatal("not one")
			}
			check.End(failed)
		}},
		{"a request is asking", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			time.Sleep(2 * time.Second)
			call, ok := r.Health.Try(health.Target{Provider: "checked", Model: "m"}, "a", health.Settings{})
			if !ok || r.wait(t, time.Minute) != nil {
				t.Error("asked twice")
			}
			call.End(failed)
		}},
		{"the provider said when", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			call := r.Health.Begin(health.Target{Provider: "checked", Model: "m"}, "a", health.Settings{})
			call.End(health.Result{Class: health.Failed, RetryAfter: 2 * time.Minute})
			if r.wait(t, 2*time.Minute-1) != nil {
				t.Error("before that")
			}
			if r.wait(t, 11*time.Second+1) == nil {
				t.Error("not after that")
			}
		}},
		{"the first account is limited", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			call := r.Health.Begin(health.Target{Provider: "checked", Model: "m"}, "a", health.Settings{})
			call.End(health.Result{Class: health.RateLimit, RetryAfter: 2 * time.Minute})
			if check := r.wait(t, 11*time.Second); check == nil || check.Account != 1 {
				t.Errorf("%+v", check)
			}
		}},
		{"no place", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			other := r.visit("checked", health.Call{})
			if !other.Enter() || r.wait(t, 11*time.Second) != nil {
				t.Error("beyond the bound")
			}
			other.End(failed)
			if r.wait(t, 11*time.Second) == nil {
				t.Error("not when there is room")
			}
		}},
		{"not asked for", func(t *testing.T, r *recheckRig) {
			r.fail("left", "m")
			if r.wait(t, time.Minute) != nil {
				t.Error("checked")
			}
		}},
		{"nothing to ask", func(t *testing.T, r *recheckRig) {
			r.fail("mute", "e")
			if r.wait(t, time.Minute) != nil {
				t.Error("checked")
			}
		}},
		{"the configuration is gone", func(t *testing.T, r *recheckRig) {
			r.fail("checked", "m")
			r.cancel()
			if r.wait(t, time.Minute) != nil {
				t.Error("checked")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRecheckRig(t)
				defer r.cancel()
				tt.do(t, r)
			})
		})
	}
}

func TestJitter(t *testing.T) {
	for random, want := range map[uint64]time.Duration{0: 90 * time.Second, 1 << 63: 100 * time.Second, 1<<64 - 1: 110 * time.Second} {
		g := &Gateway{random: func() uint64 { return random }}
		if got := g.jitter(100 * time.Second); got.Round(time.Microsecond) != want {
			t.Errorf("%x: %s, want %s", random, got, want)
		}
	}
}
