package gateway

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/internal/clocktest"
	"github.com/weirproxy/weir/wire"
)

// pooled is a provider with two accounts.
type pooled struct{ fake }

func (*pooled) Accounts() []string { return []string{"k1", "k2"} }

func (*pooled) AccountPolicy() any { return inOrder{} }

// inOrder is a module of a policy.
type inOrder struct{}

func (inOrder) Policy() balance.Policy { return balance.First{} }

// journey walks through an itinerary.
type journey struct {
	g     *Gateway
	clock *clocktest.Clock
	trip  *Itinerary
	steps []string
}

func (j *journey) note(p *Pick) {
	if p == nil {
		j.steps = append(j.steps, "end")
		return
	}
	step := p.Route.Target.String()
	if p.Name != "" {
		step += " " + p.Name
	}
	step += " " + p.Reason
	if p.Pause > 0 {
		step += " paused"
	}
	j.steps = append(j.steps, step)
}

// start begins a request for name.
func (j *journey) start(t *testing.T, name string) {
	t.Helper()
	var err error
	if j.trip, err = j.g.Itinerary(&Ask{Operation: wire.Chat, Model: name}); err != nil {
		t.Fatal(err)
	}
	p, err := j.trip.First()
	if err != nil {
		j.steps = append(j.steps, err.Error())
		return
	}
	j.note(p)
}

// fail ends the attempt with an error, and goes on.
func (j *journey) fail(err error) {
	j.trip.last.Health.End(health.Result{Class: healthOf(err)})
	j.note(j.trip.Next(err))
}

// refuse gives the first pick up for a rule of the gateway's.
func (j *journey) refuse() {
	p, err := j.trip.Refused(failed(wire.KindPermission))
	if err != nil {
		j.steps = append(j.steps, err.Error())
		return
	}
	j.note(p)
}

func healthOf(err error) health.Class {
	switch class, ok := Classify(err); {
	case !ok:
		return health.ClientError
	case class == ClassRateLimit:
		return health.RateLimit
	case class == ClassAuth:
		return health.Auth
	default:
		return health.Failed
	}
}

// fill takes all places of a provider until the test ends.
func (j *journey) fill(t *testing.T, provider string) {
	t.Helper()
	v := j.g.visit(provider, health.Call{})
	if !v.Enter() || !v.Full() && v.gate.Enter(v.bound) {
		t.Fatal("it has no bound of 1")
	}
	t.Cleanup(func() { v.End(health.Result{}) })
}

// detour looks for a place elsewhere; only target can be used.
func (j *journey) detour(target string) {
	step := "back"
	if j.trip.Detour(func(p *Pick) error {
		j.note(p)
		if p.Route.Target.String() != target {
			return failed(wire.KindPermission)
		}
		return nil
	}) {
		step = "there"
	}
	j.steps = append(j.steps, step)
}

func failed(kind wire.Kind) error { return &Error{Kind: kind} }

func times(n int) *int { return &n }

func TestItinerary(t *testing.T) {
	a, b, c, f := Target{"openai", "a"}, Target{"gpu", "b"}, Target{"openai", "c"}, Target{"anthropic", "f"}
	overloaded, invalid := failed(wire.KindOverloaded), failed(wire.KindInvalid)
	limited := &Error{Kind: wire.KindRateLimit, RetryAfter: time.Minute}
	long := failed(wire.KindContextLength)
	down := func(j *journey, targets ...Target) {
		for _, target := range targets {
			for range 3 {
				call := j.g.Health.Begin(health.Target(target), "", health.Settings{})
				call.End(health.Result{Class: health.Failed})
			}
		}
	}
	var many []Target
	for n := range 12 {
		many = append(many, Target{"gpu", fmt.Sprintf("m%d", n)})
	}
	plan := func(p Plan, r Retry) *Model { return &Model{Name: "chat", Plan: p, Retry: r} }
	for _, tt := range []struct {
		name  string
		model *Model
		do    func(t *testing.T, j *journey)
		want  []string
	}{
		{
			"one target is called once", plan(Plan{Targets: []Target{a}}, Retry{}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(overloaded) },
			[]string{"openai/a first", "end"},
		},
		{
			"a failure of the request is told at once", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{f}}, Retry{}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(invalid) },
			[]string{"openai/a first", "end"},
		},
		{
			"nobody waits any more", plan(Plan{Targets: []Target{a, b}}, Retry{}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(ErrClientGone) },
			[]string{"openai/a first", "end"},
		},
		{
			"the others, then the fallbacks", plan(Plan{Targets: []Target{a, b, c, {"gpu", "d"}}, Fallback: []Target{f, {"gpu", "g"}}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				for range 5 {
					j.fail(overloaded)
				}
			},
			[]string{"openai/a first", "gpu/b failover", "openai/c failover", "anthropic/f fallback", "gpu/g fallback", "end"},
		},
		{
			"retries of one target pause", plan(Plan{Targets: []Target{a}}, Retry{Retries: times(2)}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(overloaded)
				j.fail(overloaded)
				j.fail(overloaded)
			},
			[]string{"openai/a first", "openai/a retry paused", "openai/a retry paused", "end"},
		},
		{
			"never the same twice in a row", plan(Plan{Targets: []Target{a, b}}, Retry{Retries: times(3)}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				for range 4 {
					j.fail(overloaded)
				}
			},
			[]string{"openai/a first", "gpu/b failover", "openai/a retry paused", "gpu/b retry paused", "end"},
		},
		{
			"no retries, no failover", plan(Plan{Targets: []Target{a, b}}, Retry{Retries: times(0)}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(overloaded) },
			[]string{"openai/a first", "end"},
		},
		{
			"only the classes of retry_on", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{f}}, Retry{On: ClassesOf(ClassTimeout)}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(overloaded) },
			[]string{"openai/a first", "anthropic/f fallback"},
		},
		{
			"an upstream's long word is not waited for", plan(Plan{Targets: []Target{a}, Fallback: []Target{f}}, Retry{Retries: times(2)}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(limited) },
			[]string{"openai/a first", "anthropic/f fallback"},
		},
		{
			"a key that is not taken is not tried again", plan(Plan{Targets: []Target{a}, Fallback: []Target{f}}, Retry{Retries: times(2)}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(failed(wire.KindAuthentication)) },
			[]string{"openai/a first", "anthropic/f fallback"},
		},
		{
			"nor is an account that has spent its money", plan(Plan{Targets: []Target{a}}, Retry{Retries: times(2)}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(failed(wire.KindBudget)) },
			[]string{"openai/a first", "end"},
		},
		{
			"ten calls at most", plan(Plan{Targets: []Target{a}, Fallback: many}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				for range 10 {
					j.fail(overloaded)
				}
				j.steps = j.steps[8:]
			},
			[]string{"gpu/m7 fallback", "gpu/m8 fallback", "end"},
		},
		{
			"too late", plan(Plan{Targets: []Target{a, b}}, Retry{TryDuration: time.Second}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.clock.Add(time.Second); j.fail(overloaded) },
			[]string{"openai/a first", "end"},
		},
		{
			"a larger model", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{c}, FallbackOn: []FallbackRule{{ClassesOf(ClassContextLength), []Target{f}}}}, Retry{}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(long); j.fail(long) },
			[]string{"openai/a first", "anthropic/f fallback", "end"},
		},
		{
			"a larger model, after a fallback", plan(Plan{Targets: []Target{a}, Fallback: []Target{b, c}, FallbackOn: []FallbackRule{{ClassesOf(ClassContextLength), []Target{f}}}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(overloaded)
				j.fail(long)
				j.fail(long)
				j.fail(long)
			},
			[]string{"openai/a first", "gpu/b fallback", "anthropic/f fallback", "openai/c fallback", "end"},
		},
		{
			"a larger model that is down", plan(Plan{Targets: []Target{a}, Fallback: []Target{c}, FallbackOn: []FallbackRule{{ClassesOf(ClassContextLength), []Target{f}}}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(long)
				j.fail(overloaded)
			},
			[]string{"openai/a first", "anthropic/f fallback", "end"},
		},
		{
			"too long, without a rule", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{c}}, Retry{}),
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(long) },
			[]string{"openai/a first", "end"},
		},
		{
			"one that is down is passed over", plan(Plan{Targets: []Target{a, b}}, Retry{}),
			func(t *testing.T, j *journey) { down(j, a); j.start(t, "chat"); j.fail(overloaded) },
			[]string{"gpu/b first", "end"},
		},
		{
			"all are down: a fallback at once", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{f}}, Retry{}),
			func(t *testing.T, j *journey) { down(j, a, b); j.start(t, "chat"); j.fail(overloaded) },
			[]string{"anthropic/f unhealthy", "end"},
		},
		{
			"nothing is fit: called all the same", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{f}}, Retry{}),
			func(t *testing.T, j *journey) { down(j, a, b, f); j.start(t, "chat"); j.fail(overloaded) },
			[]string{"openai/a panic", "end"},
		},
		{
			"nothing is fit, with a breaker", &Model{Name: "chat", Plan: Plan{Targets: []Target{a, b}}, Passive: Passive{MaxFails: 3}},
			func(t *testing.T, j *journey) { down(j, a, b); j.start(t, "chat") },
			[]string{"overloaded: no target of the model 'chat' is healthy"},
		},
		{
			"one failure is enough where the model says so", &Model{Name: "chat", Plan: Plan{Targets: []Target{a, b}}, Passive: Passive{MaxFails: 1}},
			func(t *testing.T, j *journey) { j.start(t, "chat"); j.fail(overloaded); j.start(t, "chat") },
			[]string{"openai/a first", "gpu/b failover", "gpu/b first"},
		},
		{
			"failures are not held against a target where the model says so", &Model{Name: "chat", Plan: Plan{Targets: []Target{a, b}}, Passive: Passive{FailDuration: -1}},
			func(t *testing.T, j *journey) {
				for range 30 {
					j.start(t, "chat")
					j.fail(overloaded)
				}
				j.start(t, "chat")
				j.steps = j.steps[58:]
			},
			[]string{"openai/a first", "gpu/b failover", "openai/a first"},
		},
		{
			"one probe when it may be up again", plan(Plan{Targets: []Target{a, b}}, Retry{}),
			func(t *testing.T, j *journey) {
				down(j, a)
				j.clock.Add(2 * time.Second)
				j.start(t, "chat")
				first := j.trip.last
				j.start(t, "chat") // while the probe is out
				first.Health.End(health.Result{})
				j.start(t, "chat")
			},
			[]string{"openai/a first", "gpu/b first", "openai/a first"},
		},
		{
			"a rate limit cools one account, the other is asked", plan(Plan{Targets: []Target{{"pool", "m"}, b}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(limited)
				j.fail(limited)
				j.start(t, "chat")
			},
			[]string{"pool/m k1 first", "pool/m k2 failover", "gpu/b failover", "gpu/b first"},
		},
		{
			"another account, then no other", plan(Plan{Targets: []Target{{"pool", "m"}}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(overloaded)
				j.fail(overloaded)
			},
			[]string{"pool/m k1 first", "pool/m k2 failover", "end"},
		},
		{
			"one probe, whatever the accounts", plan(Plan{Targets: []Target{{"pool", "m"}, b}}, Retry{}),
			func(t *testing.T, j *journey) {
				down(j, Target{"pool", "m"})
				j.clock.Add(2 * time.Second)
				j.start(t, "chat")
				j.start(t, "chat") // while the probe is out
			},
			[]string{"pool/m k1 first", "gpu/b first"},
		},
		{
			"nothing is fit: the account that may be used soonest", plan(Plan{Targets: []Target{{"pool", "m"}}}, Retry{}),
			func(t *testing.T, j *journey) {
				for name, wait := range map[string]time.Duration{"k1": time.Minute, "k2": time.Second} {
					call := j.g.Health.Begin(health.Target{Provider: "pool", Model: "m"}, name, health.Settings{})
					call.End(health.Result{Class: health.RateLimit, RetryAfter: wait})
				}
				j.start(t, "chat")
			},
			[]string{"pool/m k2 panic"},
		},
		{
			"nothing is fit: rather an account that is limited than one that is refused", plan(Plan{Targets: []Target{{"pool", "m"}}}, Retry{}),
			func(t *testing.T, j *journey) {
				for name, class := range map[string]health.Class{"k1": health.Auth, "k2": health.RateLimit} {
					call := j.g.Health.Begin(health.Target{Provider: "pool", Model: "m"}, name, health.Settings{})
					call.End(health.Result{Class: class, RetryAfter: time.Minute})
				}
				j.start(t, "chat")
			},
			[]string{"pool/m k2 panic"},
		},
		{
			"a fallback that is a model", plan(Plan{Targets: []Target{a}, Fallback: []Target{{Model: "big"}, f}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				for range 4 {
					j.fail(overloaded)
				}
			},
			[]string{"openai/a first", "gpu/big-1 fallback", "gpu/big-2 failover", "openai/big-3 fallback", "anthropic/f fallback"},
		},
		{
			"a fallback that is down leads to its own fallbacks", plan(Plan{Targets: []Target{a}, Fallback: []Target{{Model: "big"}, f}}, Retry{}),
			func(t *testing.T, j *journey) {
				down(j, Target{"gpu", "big-1"}, Target{"gpu", "big-2"})
				j.start(t, "chat")
				j.fail(overloaded)
				j.fail(overloaded)
			},
			[]string{"openai/a first", "openai/big-3 fallback", "anthropic/f fallback"},
		},
		{
			"unfit by the gateway's own rules", plan(Plan{Targets: []Target{a, b, {"gpu", "d"}}, Fallback: []Target{c, f}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(overloaded)
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
			},
			[]string{"openai/a first", "gpu/b failover", "gpu/d failover", "openai/c fallback", "anthropic/f fallback", "end"},
		},
		{
			"elsewhere", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{c}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.note(j.trip.Elsewhere(ReasonHedge))
			},
			[]string{"openai/a first", "gpu/b hedge"},
		},
		{
			"continue", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{c}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				for range 4 {
					j.note(j.trip.Continue())
				}
			},
			[]string{"openai/a first", "gpu/b continue", "openai/c continue", "openai/c continue", "openai/c continue"},
		},
		{
			"continue alone", plan(Plan{Targets: []Target{a}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.note(j.trip.Continue())
			},
			[]string{"openai/a first", "openai/a continue"},
		},
		{
			"continue, unfit by the gateway's own rules", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{c}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.note(j.trip.Continue())
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
			},
			[]string{"openai/a first", "gpu/b continue", "openai/c continue", "openai/a continue", "end"},
		},
		{
			"what is picked as an extra and not called changes nothing", plan(Plan{Targets: []Target{a}, Fallback: []Target{{Model: "big"}}, FallbackOn: []FallbackRule{{ClassesOf(ClassContextLength), []Target{f}}}}, Retry{Retries: times(1)}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				home := j.trip.last
				j.note(j.trip.Elsewhere(ReasonHedge))
				j.trip.Return(home)
				j.fail(overloaded)
				j.fail(long)
			},
			[]string{"openai/a first", "gpu/big-1 hedge", "openai/a retry paused", "anthropic/f fallback"},
		},
		{
			"what cannot be used does not use up the retries", plan(Plan{Targets: []Target{a, b}, Fallback: []Target{f}}, Retry{Retries: times(1)}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(overloaded)
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				j.fail(overloaded)
			},
			[]string{"openai/a first", "gpu/b failover", "openai/a retry paused", "anthropic/f fallback"},
		},
		{
			"nor is it retried", plan(Plan{Targets: []Target{a, b}}, Retry{Retries: times(3)}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.fail(overloaded)
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
				down(j, a, b)
				j.fail(overloaded)
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
			},
			[]string{"openai/a first", "gpu/b failover", "openai/a retry paused", "openai/a retry paused", "end"},
		},
		{
			"all are down, and some fallbacks cannot be used", plan(Plan{Targets: []Target{a}, Fallback: []Target{{Model: "big"}, f}}, Retry{}),
			func(t *testing.T, j *journey) {
				down(j, a)
				j.start(t, "chat")
				for range 3 {
					j.refuse()
				}
			},
			[]string{"gpu/big-1 unhealthy", "gpu/big-2 unhealthy", "openai/big-3 unhealthy", "anthropic/f unhealthy"},
		},
		{
			"all are down, and no fallback can be used", plan(Plan{Targets: []Target{a}, Fallback: []Target{b, f}}, Retry{}),
			func(t *testing.T, j *journey) {
				down(j, a)
				j.start(t, "chat")
				j.refuse()
				j.refuse()
				j.fail(overloaded)
			},
			[]string{"gpu/b unhealthy", "anthropic/f unhealthy", "openai/a panic", "end"},
		},
		{
			"all are down, with a breaker, and no fallback can be used", &Model{Name: "chat", Plan: Plan{Targets: []Target{a}, Fallback: []Target{f}}, Passive: Passive{MaxFails: 3}},
			func(t *testing.T, j *journey) {
				down(j, a)
				j.start(t, "chat")
				j.refuse()
			},
			[]string{"anthropic/f unhealthy", "overloaded: no target of the model 'chat' is healthy"},
		},
		{
			"continue where a stream that is too slow leads", plan(Plan{Targets: []Target{a, b}, FallbackOn: []FallbackRule{{ClassesOf(ClassRateLimit), []Target{f}}, {ClassesOf(ClassTimeout), []Target{c}}}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.start(t, "chat")
				j.note(j.trip.Continue())
				j.note(j.trip.Unfit(failed(wire.KindPermission)))
			},
			[]string{"openai/a first", "gpu/b continue", "openai/c continue"},
		},
		{
			"nothing extra where it had to wait", plan(Plan{Targets: []Target{a, {"small", "b"}}, Fallback: []Target{f}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.fill(t, "small")
				j.start(t, "chat")
				home := j.trip.last
				j.note(j.trip.Elsewhere(ReasonHedge))
				j.trip.Return(home)
				j.fail(overloaded) // what is not extra waits
			},
			[]string{"openai/a first", "anthropic/f hedge", "small/b failover"},
		},
		{
			"a detour: the others, then the fallbacks, then back", plan(Plan{Targets: []Target{{"small", "a"}, b, {"small", "c"}}, Fallback: []Target{f}}, Retry{}),
			func(t *testing.T, j *journey) {
				j.fill(t, "small")
				j.start(t, "chat")
				j.detour("anthropic/f")
				j.fail(overloaded)
				j.start(t, "chat")
				j.detour("nowhere")
				j.fail(overloaded) // as if nothing had been tried, but for what cannot be used
			},
			[]string{"small/a first", "gpu/b busy", "anthropic/f busy", "there", "end", "small/a first", "gpu/b busy", "anthropic/f busy", "back", "small/c failover"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			big := &Model{Name: "big", Plan: Plan{Targets: []Target{{"gpu", "big-1"}, {"gpu", "big-2"}}, Fallback: []Target{{"openai", "big-3"}}}, Internal: true}
			g, clock, _ := newGateway(t, tt.model, big)
			j := &journey{g: g, clock: clock}
			tt.do(t, j)
			if diff := cmp.Diff(tt.want, j.steps); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestPassedOver holds that explanations say of each target of the model's own why the
// request does not go there.
func TestPassedOver(t *testing.T) {
	one, two := Target{"openai", "a"}, Target{"openai", "b"}
	down := func(g *Gateway, target Target) {
		for range 3 {
			call := g.Health.Begin(health.Target(target), "", health.Settings{})
			call.End(health.Result{Class: health.Failed})
		}
	}
	for _, tt := range []struct {
		name    string
		targets []Target
		do      func(g *Gateway, clock *clocktest.Clock)
		next    error // of the first attempt
		want    []string
	}{
		{"one that is fit", []Target{one}, func(*Gateway, *clocktest.Clock) {}, nil, nil},
		{"one that is tried again", []Target{one}, func(*Gateway, *clocktest.Clock) {}, &Error{Kind: wire.KindRateLimit, RetryAfter: time.Second}, nil},
		{"one that is down", []Target{one}, func(g *Gateway, _ *clocktest.Clock) { down(g, one) }, nil, []string{"openai/a: open"}},
		{"one of two", []Target{one, two}, func(g *Gateway, _ *clocktest.Clock) { down(g, one) }, nil, []string{"openai/a: open"}},
		{"one that is limited", []Target{one}, func(g *Gateway, _ *clocktest.Clock) {
			call := g.Health.Begin(health.Target(one), "", health.Settings{})
			call.End(health.Result{Class: health.RateLimit, RetryAfter: time.Minute})
		}, nil, []string{"openai/a: no account is fit"}},
		{"one that another call is trying", []Target{one}, func(g *Gateway, clock *clocktest.Clock) {
			down(g, one)
			clock.Add(2 * time.Second)
			if _, ok := g.Health.Try(health.Target(one), "", health.Settings{}); !ok {
				t.Fatal("it is not tried")
			}
		}, nil, []string{"openai/a: half_open"}},
		{"one of two that another call is trying", []Target{one, two}, func(g *Gateway, clock *clocktest.Clock) {
			down(g, one)
			clock.Add(2 * time.Second)
			if _, ok := g.Health.Try(health.Target(one), "", health.Settings{}); !ok {
				t.Fatal("it is not tried")
			}
		}, nil, []string{"openai/a: half_open"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, clock, _ := newGateway(t, &Model{Name: "chat", Plan: Plan{Targets: tt.targets, Fallback: []Target{{"gpu", "f"}}}, Retry: Retry{Retries: times(1)}})
			tt.do(g, clock)
			trip, err := g.Itinerary(&Ask{Operation: wire.Chat, Model: "chat"})
			if err != nil {
				t.Fatal(err)
			}
			pick, err := trip.First()
			if err == nil && tt.next != nil {
				pick.Health.End(health.Result{Class: health.RateLimit, RetryAfter: time.Second})
				pick = trip.Next(tt.next)
			}
			if err != nil || pick == nil {
				t.Fatal(pick, err)
			}
			if diff := cmp.Diff(tt.want, pick.Skipped); diff != "" {
				t.Errorf("to %s (-want +got)\n%s", pick.Route.Target, diff)
			}
		})
	}
}

// TestFallbackOfOtherKind passes over a fallback whose provider cannot do what is asked.
func TestFallbackOfOtherKind(t *testing.T) {
	g, _, _ := newGateway(t, &Model{Name: "embed", Plan: Plan{Targets: []Target{{"openai", "a"}}, Fallback: []Target{{"anthropic", "f"}, {"gpu", "b"}}}})
	trip, err := g.Itinerary(&Ask{Operation: wire.Embeddings, Model: "embed"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trip.First(); err != nil {
		t.Fatal(err)
	}
	next := trip.Next(failed(wire.KindOverloaded))
	if next == nil || next.Route.Target != (Target{"gpu", "b"}) {
		t.Fatalf("it goes on to %+v", next)
	}
	if diff := cmp.Diff([]string{"anthropic/f: cannot do what is asked"}, next.Skipped); diff != "" {
		t.Error(diff)
	}
}

// TestRecovery holds that who meets a breaker is told when the first of its targets may
// be up again.
func TestRecovery(t *testing.T) {
	targets := []Target{{"openai", "a"}, {"openai", "b"}, {"openai", "c"}}
	g, clock, _ := newGateway(t, &Model{Name: "chat", Plan: Plan{Targets: targets}, Passive: Passive{MaxFails: 1}})
	for i, wait := range []time.Duration{time.Minute, 20 * time.Second, 40 * time.Second} {
		call := g.Health.Begin(health.Target(targets[i]), "", health.Settings{MaxFails: 1})
		call.End(health.Result{Class: health.Failed, RetryAfter: wait})
	}
	for _, tt := range []struct{ after, want time.Duration }{{0, 20 * time.Second}, {15 * time.Second, 5 * time.Second}, {4500 * time.Millisecond, time.Second}} {
		clock.Add(tt.after)
		trip, err := g.Itinerary(&Ask{Operation: wire.Chat, Model: "chat"})
		if err != nil {
			t.Fatal(err)
		}
		var refusal *Error
		if _, err = trip.First(); !errors.As(err, &refusal) || refusal.Kind != wire.KindOverloaded || refusal.RetryAfter != tt.want {
			t.Errorf("%v: %+v, want a retry in %s", err, refusal, tt.want)
		}
	}
}

// TestRetriesAreBounded holds that an upstream which answers nothing but
// errors is sent a tenth more for it at most, however many retries are allowed.
func TestRetriesAreBounded(t *testing.T) {
	g, clock, _ := newGateway(t, &Model{Name: "chat", Plan: Plan{Targets: []Target{{"openai", "a"}}}, Retry: Retry{Retries: times(5)}})
	const requests = 5 * 60 * 20
	calls := 0
	for range requests {
		trip, err := g.Itinerary(&Ask{Operation: wire.Chat, Model: "chat"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := trip.First()
		for ; p != nil && err == nil; p = trip.Next(failed(wire.KindOverloaded)) {
			calls++
			p.Health.End(health.Result{Class: health.Failed})
		}
		clock.Add(50 * time.Millisecond)
	}
	if most := requests*110/100 + 3*30; calls > most || calls < requests {
		t.Errorf("%d calls for %d requests, %d at most", calls, requests, most)
	}
	// It is up again: every request succeeds at its first call.
	clock.Add(10 * time.Second)
	for range 10 {
		trip, _ := g.Itinerary(&Ask{Operation: wire.Chat, Model: "chat"})
		p, err := trip.First()
		if err != nil {
			t.Fatal(err)
		}
		p.Health.End(health.Result{})
	}
	if view := g.Health.Look(health.Target{Provider: "openai", Model: "a"}); !view.Healthy {
		t.Errorf("%+v after ten good answers", view)
	}
}

// TestPause bounds the pauses before retries.
func TestPause(t *testing.T) {
	g, _, _ := newGateway(t)
	for _, tt := range []struct {
		asked, interval time.Duration
		pauses          int
		low, high       time.Duration
	}{
		{0, 0, 0, 0, firstPause},
		{0, 0, 3, 0, 8 * firstPause},
		{0, 0, 60, 0, longPause},
		{0, time.Second, 1, 0, 2 * time.Second},
		{0, time.Minute, 5, 0, time.Minute},
		{3 * time.Second, 0, 0, 3 * time.Second, 3*time.Second + firstPause},
		{maxPause + 1, 0, 0, -1, -1},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			for range 100 {
				i := &Itinerary{gateway: g, pauses: tt.pauses, retry: Retry{TryInterval: tt.interval}}
				if got := i.pause(tt.asked); got < tt.low || got > tt.high {
					t.Fatalf("%v, want %v to %v", got, tt.low, tt.high)
				}
			}
		})
	}
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Class
		ok   bool
	}{
		{failed(wire.KindUpstream), ClassUpstream, true},
		{&Error{Kind: wire.KindUpstream, Credential: true}, ClassAuth, true},
		{&Error{Kind: wire.KindAuthentication, Credential: true}, ClassAuth, true},
		{failed(wire.KindBudget), ClassRateLimit, true},
		{fmt.Errorf("reading: %w", ErrIdle), ClassTimeout, true},
		{ErrTotal, 0, false},
		{ErrShutdown, 0, false},
		{ErrClientGone, 0, false},
		{failed(wire.KindInvalid), 0, false},
		{errors.New("dial"), ClassUpstream, true},
	} {
		if got, ok := Classify(tt.err); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%v: %v %v", tt.err, got, ok)
		}
	}
}

// TestRecycledItinerary holds that the next request finds nothing of the one before.
func TestRecycledItinerary(t *testing.T) {
	g, _, _ := newGateway(t)
	for range 3 {
		trip, err := g.Itinerary(&Ask{Operation: wire.Chat, Model: "openai/gpt-4o", Facts: Facts{Key: "k"}})
		if err != nil {
			t.Fatal(err)
		}
		if trip.last != nil || trip.calls != 0 || trip.failed != nil || !trip.ends.IsZero() || trip.roomy || trip.firstPick.Route != nil {
			t.Fatalf("it begins with what another has left: %+v", trip)
		}
		pick, err := trip.First()
		if err != nil {
			t.Fatal(err)
		}
		trip.EndBy(g.Now())
		trip.Failed(pick)
		pick.Health.Abandon()
		trip.Recycle()
	}
}
