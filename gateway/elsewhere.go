package gateway

import "slices"

// Elsewhere picks a target that the request has not been sent to, for a second
// attempt beside the first, or for the rest of an answer; nil when none is fit.
func (i *Itinerary) Elsewhere(reason string) *Pick {
	if i.calls >= maxCalls {
		return nil
	}
	i.roomy = true // nobody waits for what is extra
	defer func() { i.roomy = false }()
	i.before.leg, i.before.queue = i.leg, i.queue
	last := i.last.Route.Target
	away := func(route *Route, account string) bool { return route.Target == last || i.hasFailed(route, account) }
	if c, ok := i.choose(i.leg, away); ok {
		return i.picked(c, reason, false)
	}
	i.enqueue(ClassTimeout)
	if c, ok := i.fallback(); ok {
		return i.picked(c, reason, false)
	}
	i.leg, i.queue = i.before.leg, i.before.queue
	return nil
}

// Return takes the pick of Elsewhere back, to which nothing was sent; to is the one
// before.
func (i *Itinerary) Return(to *Pick) {
	i.last.Health.Abandon()
	i.last, i.leg, i.queue = to, i.before.leg, i.before.queue
	i.calls--
}

// Continue picks a target for the rest of an answer that the last one has
// broken off: another that is fit, else one that has been called already, if
// its breaker and its retry budget allow it; nil when there is none.
func (i *Itinerary) Continue() *Pick {
	i.Failed(i.last)
	i.class = ClassTimeout
	if p := i.Elsewhere(ReasonContinue); p != nil {
		return p
	}
	return i.continueWithSame()
}

// continueWithSame picks one of those that the request has been sent to.
func (i *Itinerary) continueWithSame() *Pick {
	if i.calls >= maxCalls {
		return nil
	}
	i.leg, i.queue = i.before.leg, i.before.queue
	c, ok := i.choose(i.leg, i.isRefused)
	if !ok || !i.allowed(c) {
		return nil
	}
	return i.picked(c, ReasonContinue, false)
}

// Unfit takes back the last pick, which followed a failure and breaks a rule of
// the gateway's, and picks another; nil when there is none.
func (i *Itinerary) Unfit(why error) *Pick {
	i.calls--
	i.turnedDown(i.last, why)
	was := i.last.Reason
	if c, ok := i.choose(i.leg, i.hasFailed); ok {
		return i.picked(c, was, true)
	}
	if was == ReasonFailover || was == ReasonRetry {
		i.retries++ // it was not made
		if p := i.again(); p != nil {
			return p
		}
	}
	i.enqueue(i.class)
	if c, ok := i.fallback(); ok {
		if was != ReasonContinue {
			was = ReasonFallback
		}
		return i.picked(c, was, true)
	}
	if was == ReasonContinue {
		return i.continueWithSame()
	}
	return nil
}

// Refused takes back the first pick, which stands in for the model's own targets
// and breaks a rule of the gateway's, and picks as First does from what is left.
func (i *Itinerary) Refused(why error) (*Pick, error) {
	i.calls--
	i.turnedDown(i.last, why)
	if c, ok := i.choose(i.leg, i.hasFailed); ok {
		return i.picked(c, ReasonUnhealthy, true), nil
	}
	i.enqueue(ClassOverloaded)
	return i.standIn()
}

// Detour looks for a target whose provider has a place free, since that of the
// last pick has none. Each is offered to try, which says why the request cannot
// go there, if so. The last pick is taken back for one that can; if there is
// none, it stands as if nothing had been tried, and its provider is waited for.
func (i *Itinerary) Detour(try func(*Pick) error) bool {
	home, leg, queue, calls := i.last, i.leg, i.queue, i.calls
	i.roomy = true
	defer func() { i.roomy, i.calls = false, calls }()
	for {
		c, ok := i.choose(i.leg, i.hasFailed)
		if !ok {
			i.enqueue(ClassOverloaded)
			c, ok = i.fallback()
		}
		if !ok {
			i.last, i.leg, i.queue = home, leg, queue
			return false
		}
		p := i.picked(c, ReasonBusy, true)
		why := try(p)
		if why == nil {
			home.Health.Abandon()
			return true
		}
		i.turnedDown(p, why)
	}
}

// turnedDown gives up a pick that breaks a rule of the gateway's.
func (i *Itinerary) turnedDown(p *Pick, why error) {
	p.Health.Abandon()
	i.skipped = append(p.Skipped, p.Route.Target.String()+": "+AsError(why).Message)
	i.refused = append(i.refused, p.Route.Target)
	i.Failed(p)
}

func (i *Itinerary) isRefused(route *Route, _ string) bool {
	return slices.Contains(i.refused, route.Target)
}
