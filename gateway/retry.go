package gateway

import (
	"slices"
	"time"

	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/wire"
)

// The pauses before calls to a target that has failed already: growing, with
// full jitter, so that clients that failed together do not come back together.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 5 * time.Second

	// maxPause is the longest that an upstream's own word is waited for while
	// the client waits too.
	maxPause = 20 * time.Second
)

func (i *Itinerary) retryOn() Classes {
	if i.retry.On == 0 {
		return DefaultClasses
	}
	return i.retry.On
}

// late reports whether it will be too late for another call after pause.
func (i *Itinerary) late(pause time.Duration) bool {
	at := i.gateway.Now().Add(pause)
	return i.retry.TryDuration > 0 && at.Sub(i.began) >= i.retry.TryDuration || !i.ends.IsZero() && !at.Before(i.ends)
}

// again picks a target that has failed before, if the rules and its budget
// allow it and the pause is worth it.
func (i *Itinerary) again() *Pick {
	e := AsError(i.err)
	if i.retry.Retries == nil || i.class == ClassAuth || e.Kind == wire.KindBudget || e.NoRetry {
		return nil // the same again would fail again
	}
	pause := i.pause(e.RetryAfter)
	if pause < 0 || i.late(pause) {
		return nil
	}
	last, skipped := i.lastSent(), i.skipped
	c, ok := i.choose(i.leg, func(route *Route, account string) bool {
		return placeOf(route, account) == last || i.isRefused(route, account)
	})
	if !ok {
		c, ok = i.choose(i.leg, i.isRefused)
	}
	if l := i.up(i.leg); !ok && len(l.routes) > 0 {
		c, ok = i.force(l), true
		i.skipped = skipped // it is called after all
	}
	if !ok || !i.allowed(c) {
		return nil
	}
	i.retries--
	p := i.picked(c, ReasonRetry, false)
	p.Pause = pause
	return p
}

// lastSent is where the request was last sent to.
func (i *Itinerary) lastSent() (last place) {
	for _, p := range i.failed {
		if !slices.Contains(i.refused, p.target) {
			last = p
		}
	}
	return last
}

// up is l with those targets only that may be called after a pause although
// none is fit now: behind a breaker those that it lets pass, whose account is
// but limited for a moment.
func (i *Itinerary) up(l *leg) *leg {
	up := *l
	up.routes = nil
	for _, route := range l.routes {
		down := l.strict() && i.gateway.Health.Look(health.Target(route.Target)).State != health.Closed
		if !down && !slices.Contains(i.refused, route.Target) {
			up.routes = append(up.routes, route)
		}
	}
	return &up
}

// allowed reports whether the budget of a target bears one call more than
// clients have made, and gives the choice up otherwise.
func (i *Itinerary) allowed(c choice) bool {
	if i.gateway.Health.Retries(health.Target(c.route.Target)).Allow() {
		return true
	}
	c.call.Abandon()
	i.note(c.route, "its retry budget is spent")
	return false
}

// pause is how long to wait before the same is tried again; asked is the
// upstream's own word, 0 for none. It is negative when that is too long.
func (i *Itinerary) pause(asked time.Duration) time.Duration {
	if asked > maxPause {
		return -1
	}
	least := firstPause
	if i.retry.TryInterval > 0 {
		least = i.retry.TryInterval
	}
	high := min(least<<min(i.pauses, 10), max(longPause, least))
	i.pauses++
	jittered := time.Duration(float64(high) * float64(i.gateway.random()>>11) / (1 << 53))
	if asked > 0 {
		// All who were refused at once would come back at once.
		return asked + jittered/4
	}
	return jittered
}
