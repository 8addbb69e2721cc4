package gateway

import (
	"time"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/gateway/health"
)

// choice is a route that can be called, with the account to call it with.
type choice struct {
	route   *Route
	account int
	name    string
	call    health.Call
}

// choose picks one of the leg's routes that can be called now and that skip
// leaves in, and enters the call.
func (i *Itinerary) choose(l *leg, skip func(route *Route, account string) bool) (choice, bool) {
	settings := l.settings()
	if len(l.routes) == 1 {
		if i.crowded(l.routes[0]) {
			return choice{}, false
		}
		c, ok := i.enter(l.routes[0], settings, skip)
		if ok {
			return c, true
		}
		if _, tried, _ := i.accounts(l.routes[0], skip); !tried {
			i.passOver(l.routes[0])
		}
		return c, false
	}
	candidates := make([]balance.Candidate, 0, len(l.routes))
	routes := make([]*Route, 0, len(l.routes))
	for at, route := range l.routes {
		if i.crowded(route) {
			continue
		}
		view := i.gateway.Health.Look(health.Target(route.Target))
		fit, tried, headroom := i.accounts(route, skip)
		switch {
		case tried: // what became of it is in the trail
			continue
		case view.State == health.Open, !fit:
			i.passOver(route)
			continue
		}
		candidates = append(candidates, balance.Candidate{
			Name: route.Target.String(), Index: at, InFlight: view.InFlight, Latency: view.Latency,
			Cost: i.costOf(l, route), Headroom: headroom,
		})
		routes = append(routes, route)
	}
	for len(candidates) > 0 {
		at := 0
		if l.plan.Balance != nil {
			at = l.plan.Balance.Pick(candidates, &i.ask.By)
		}
		if c, ok := i.enter(routes[at], settings, skip); ok {
			return c, true
		}
		i.passOver(routes[at])
		candidates = append(candidates[:at], candidates[at+1:]...)
		routes = append(routes[:at], routes[at+1:]...)
	}
	return choice{}, false
}

// passOver notes why a route cannot be called now.
func (i *Itinerary) passOver(route *Route) {
	if state := i.gateway.Health.Look(health.Target(route.Target)).State; state != health.Closed {
		i.note(route, state) // half open: another call is finding out
		return
	}
	i.note(route, "no account is fit")
}

// crowded reports whether a route is left out since its provider has no place
// free.
func (i *Itinerary) crowded(route *Route) bool {
	if !i.roomy || !i.gateway.full(route.Target.Provider) {
		return false
	}
	i.note(route, "its provider has no place free")
	return true
}

// costOf is what the request costs at a route; -1 when that is not known.
func (i *Itinerary) costOf(l *leg, route *Route) int64 {
	if l.plan.Balance == nil || i.ask.Costs == nil {
		return -1
	}
	return i.ask.Costs.CostAt(route)
}

func usable(v *health.AccountView, now time.Time) bool {
	return (!v.Disabled || !now.Before(v.RetryAt)) && !now.Before(v.CoolUntil)
}

// accounts reports whether the route has an account that can be used, whether
// skip leaves out all of them, and the most that is left of any one's learned
// quota.
func (i *Itinerary) accounts(route *Route, skip func(*Route, string) bool) (fit, skipped bool, headroom float64) {
	now := i.gateway.Now()
	skipped = true
	for _, name := range route.pool.names {
		v := i.gateway.Health.Account(route.Target.Provider, name, route.Target.Model)
		headroom = max(headroom, v.Headroom)
		if !skip(route, name) {
			skipped = false
			fit = fit || usable(&v, now)
		}
	}
	return fit, skipped, headroom
}

// enter enters a call to route with the best of its accounts.
func (i *Itinerary) enter(route *Route, s health.Settings, skip func(*Route, string) bool) (choice, bool) {
	names := route.pool.names
	target := health.Target(route.Target)
	if len(names) == 1 {
		if skip(route, names[0]) {
			return choice{}, false
		}
		call, ok := i.gateway.Health.Try(target, names[0], s)
		return choice{route, 0, names[0], call}, ok
	}
	now := i.gateway.Now()
	candidates := make([]balance.Candidate, 0, len(names))
	for at, name := range names {
		v := i.gateway.Health.Account(target.Provider, name, target.Model)
		if usable(&v, now) && !skip(route, name) {
			candidates = append(candidates, balance.Candidate{Name: name, Index: at, InFlight: v.InFlight, Cost: -1, Headroom: v.Headroom})
		}
	}
	for len(candidates) > 0 {
		at := route.pool.policy.Pick(candidates, &i.ask.By)
		account := candidates[at].Index
		if call, ok := i.gateway.Health.Try(target, names[account], s); ok {
			return choice{route, account, names[account], call}, true
		}
		candidates = append(candidates[:at], candidates[at+1:]...)
	}
	return choice{}, false
}

// force enters a call to the route of the leg that may work soonest: for when
// none is fit and nothing else is left.
func (i *Itinerary) force(l *leg) choice {
	best := l.routes[0]
	var soonest time.Time
	for at, route := range l.routes {
		until := i.gateway.Health.Look(health.Target(route.Target)).Until
		if at == 0 || until.Before(soonest) {
			best, soonest = route, until
		}
	}
	names := best.pool.names
	account := 0
	for at, name := range names {
		v := i.gateway.Health.Account(best.Target.Provider, name, best.Target.Model)
		until := v.CoolUntil
		if v.Disabled && v.RetryAt.After(until) {
			until = v.RetryAt
		}
		if at == 0 || until.Before(soonest) {
			account, soonest = at, until
		}
	}
	return choice{best, account, names[account], i.gateway.Health.Begin(health.Target(best.Target), names[account], l.settings())}
}
