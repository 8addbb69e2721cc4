package handlers

import (
	"io"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
)

// dispatch makes attempts until one has an answer that can be shown, or there
// is nothing left to try; then the last failure stands.
func (c *call) dispatch() (answer, error) {
	if c.x.Stream {
		c.out.expectStream(c.door)
	}
	total := c.limits(c.target).Total
	if total > 0 {
		total = max(total-c.x.Timings.Queue, time.Millisecond)
		c.way.trip.EndBy(c.proxy.gateway.Now().Add(total))
	}
	c.pulse.start(c, total)
	err := c.enter()
	c.upstreamStart = c.proxy.gateway.Now()
	if err != nil {
		return nil, err
	}
	if reason := c.way.pick.Reason; reason == gateway.ReasonBusy {
		c.proxy.metrics.Fallback(gateway.ClassOverloaded.String())
	}
	for {
		answer, err := c.try()
		if err == nil {
			return answer, nil
		}
		kept := asBlocked(err)
		if c.next(err) {
			kept.drop()
			continue
		}
		if cause := c.cause(); cause != nil {
			kept.drop()
			return nil, cause // such as the end of the process while it paused
		}
		if kept != nil {
			return kept.answer, nil
		}
		return nil, err
	}
}

// try makes one attempt at the target that was picked.
func (c *call) try() (answer, error) {
	a, err := c.attempt(c.way.pick)
	if err != nil {
		return nil, err
	}
	if was := c.current; was != nil {
		telemetry.FailSpan(was.span, c.x.Start, was.told)
	}
	c.current = a
	a.start()
	if after := c.hedgeAfter(a); after > 0 {
		return c.race(a, after)
	}
	answer, err := a.run()
	if err != nil {
		a.ended(err)
		return nil, err
	}
	return answer, nil
}

// next goes on to another target after a failure, and reports whether there is
// one. Each is looked at as if it had been asked for: may the caller use it, is
// there room under its limits, and a place at its provider.
func (c *call) next(err error) bool {
	if c.cause() != nil {
		return false
	}
	failed := c.way
	booked := failed.pick.Route // which what is held is for
	for pick := c.way.trip.Next(err); pick != nil; {
		why := c.take(pick)
		if why == nil && !countAlike(pick.Route, booked) {
			if why = c.rebook(atOnce); why == nil {
				booked = pick.Route
			}
		}
		if why == nil {
			class, _ := gateway.Classify(err)
			c.proxy.metrics.Fallback(class.String())
			if !c.pause(pick.Pause) {
				break // nobody waits any more
			}
			why = c.enter()
		}
		if why == nil {
			return true
		}
		if c.cause() != nil {
			break
		}
		pick = c.way.trip.Unfit(why)
	}
	if c.way != failed {
		c.way.abandon()
	}
	c.turn(failed)
	if !countAlike(booked, failed.pick.Route) {
		_ = c.rebook(whereUsed) // nothing was sent there
	}
	return false
}

// countAlike reports whether calls to two routes fall under the same limits.
func countAlike(a, b *gateway.Route) bool { return a.Target == b.Target && a.Alias == b.Alias }

// pause waits before an attempt, and reports whether anybody still waits then.
func (c *call) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// discard closes an upstream's body that nobody will read.
func discard(body io.Closer) { _ = body.Close() }
