package gateway

import (
	"time"

	"github.com/weirproxy/weir/gateway/health"
)

// leg is a set of targets that stand for each other: a model's own, or one of
// its fallbacks.
type leg struct {
	// name is that under which a key must be allowed to use it.
	name string

	// model is whose settings hold; nil where a client named the target itself.
	model  *Model
	plan   *Plan
	routes []*Route

	// rules is the plan that names a leg of one target as its fallback; nil for
	// other legs.
	rules *Plan
}

// legRoom is the memory of a leg with one route.
type legRoom struct {
	leg
	route Route
	list  [1]*Route
}

// settings say when a target of the leg counts as down.
func (l *leg) settings() health.Settings {
	if l.model == nil {
		return health.Settings{}
	}
	p := &l.model.Passive
	s := health.Settings{MaxFails: p.MaxFails, FailDuration: p.FailDuration, UnhealthyLatency: p.UnhealthyLatency}
	if p.FailDuration < 0 {
		s.MaxFails, s.FailDuration = -1, 0
	}
	return s
}

// strict reports whether targets that are down are left alone even when there
// is no other: who writes max_fails wants a breaker. Without it, health only
// decides who is asked first, as with a load balancer in panic mode: a gateway
// that refuses by itself what an upstream might have answered helps nobody.
func (l *leg) strict() bool { return l.model != nil && l.model.Passive.MaxFails > 0 }

// recovery is when the first of the leg's routes may be up again.
func (i *Itinerary) recovery(l *leg) time.Duration {
	now := i.gateway.Now()
	var first time.Duration
	for _, route := range l.routes {
		wait := max(i.gateway.Health.Look(health.Target(route.Target)).Until.Sub(now), time.Second)
		if first == 0 || wait < first {
			first = wait
		}
	}
	return first
}

// spare is a fallback, and the leg whose it is: a target that a model names
// goes by that model's rules, whichever models were tried in between.
type spare struct {
	Target
	of *leg
}

// enqueue puts what is tried after a failure of class before the fallbacks
// that wait already. A leg's fallbacks are entered once.
func (i *Itinerary) enqueue(class Class) { i.enqueueBy(i.leg.plan, class) }

// enqueueBy does so by the rules of plan.
func (i *Itinerary) enqueueBy(plan *Plan, class Class) {
	of := &leg{name: i.leg.name, model: i.leg.model, plan: &noPlan, rules: plan}
	if more := plan.FallbackFor(class); len(more) > 0 {
		queue := make([]spare, 0, len(more)+len(i.queue))
		for _, target := range more {
			queue = append(queue, spare{target, of})
		}
		i.queue = append(queue, i.queue...)
	}
	i.leg = of
}

// fallback goes on to the first leg in the queue that has a fit target.
func (i *Itinerary) fallback() (choice, bool) {
	for len(i.queue) > 0 {
		next := i.queue[0]
		i.queue = i.queue[1:]
		if next.Provider == "" {
			model, rest := i.gateway.Alias(next.Model)
			i.leg = i.gateway.modelLeg(new(legRoom), i.ask.Operation, model, next.Model, rest, &i.ask.Facts)
		} else {
			i.leg = &leg{name: next.of.name, model: next.of.model, plan: &noPlan, rules: next.of.rules}
			if route := i.gateway.route(new(Route), i.ask.Operation, next.of.model, next.of.name, expand(next.Target, i.ask.Model, "")); route != nil {
				// A window that the model states is that of its own targets.
				route.ContextWindow = contextWindow(route.Target.Model)
				i.leg.routes = []*Route{route}
			}
		}
		if len(i.leg.routes) == 0 {
			i.skipped = append(i.skipped, next.String()+": cannot do what is asked")
			continue
		}
		if c, ok := i.choose(i.leg, i.hasFailed); ok {
			return c, true
		}
		i.enqueue(ClassOverloaded)
	}
	return choice{}, false
}
