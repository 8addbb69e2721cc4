package gateway

import (
	"context"
	"time"

	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/wire"
)

// Check is a call that no request asks for: it finds out whether a target
// answers. It belongs to one goroutine at a time and must be ended.
type Check struct {
	Visit
	Route   *Route
	Account int
}

// Recheck says how targets that are down are checked.
type Recheck struct {
	Interval time.Duration // 0: they are not
	Timeout  time.Duration
}

// Rechecked is implemented by providers whose targets may be checked while they
// are down.
type Rechecked interface {
	Recheck() Recheck
}

// checkRoute is the way of a check to t, nil where t's provider has no
// conversation to have with it.
func (g *Gateway) checkRoute(t Target) *Route {
	return g.route(new(Route), wire.Chat, nil, t.String(), t)
}

// Check enters a check of t whatever its state is, with its provider's first
// account; false where there is nothing to ask t.
func (g *Gateway) Check(t Target) (*Check, bool) {
	route := g.checkRoute(t)
	if route == nil {
		return nil, false
	}
	return &Check{Visit: Visit{Call: g.Health.Begin(health.Target(t), route.pool.names[0], health.Settings{})}, Route: route}, true
}

// probe enters the one check that may be made of a target that is down; false
// if it is up, if it is too early to ask, or if somebody else is asking, be it
// another configuration or a request.
func (g *Gateway) probe(route *Route) (*Check, bool) {
	target := health.Target(route.Target)
	if g.Health.Look(target).State == health.Closed {
		return nil, false
	}
	for at, name := range route.pool.names {
		call, ok := g.Health.Try(target, name, health.Settings{})
		if !ok {
			continue
		}
		check := &Check{Visit: g.visit(target.Provider, call), Route: route, Account: at}
		// It may have come up since it was looked at.
		if check.Probing() && check.Enter() {
			return check, true
		}
		check.Abandon()
		return nil, false
	}
	return nil, false
}

// Recheck checks the configured targets that are down, as often as their
// providers say, until ctx ends. It begins to and returns at once. ask makes a
// check, which may take as long as timeout, and ends it; for each target there
// is one at a time.
func (g *Gateway) Recheck(ctx context.Context, ask func(ctx context.Context, check *Check, timeout time.Duration)) {
	for _, t := range g.Targets() {
		provider, ok := g.providers[t.Provider].(Rechecked)
		if !ok {
			continue
		}
		how, route := provider.Recheck(), g.checkRoute(t)
		if how.Interval <= 0 || route == nil {
			continue
		}
		go g.recheck(ctx, route, how, ask)
	}
}

func (g *Gateway) recheck(ctx context.Context, route *Route, how Recheck, ask func(context.Context, *Check, time.Duration)) {
	timer := time.NewTimer(g.jitter(how.Interval))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return // both came, and select chooses at random
		}
		if check, ok := g.probe(route); ok {
			ask(ctx, check, how.Timeout)
		}
		timer.Reset(g.jitter(how.Interval))
	}
}

// jitter is d, 10 % more or less, so that the targets and the instances of a
// fleet do not ask all at once.
func (g *Gateway) jitter(d time.Duration) time.Duration {
	const bits = 53 // a float64 holds them all
	random := float64(g.random()>>(64-bits)) / (1 << bits)
	return time.Duration(float64(d) * (0.9 + 0.2*random))
}
