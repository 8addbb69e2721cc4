package handlers

import (
	"net/http"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
)

// errLost ends the attempt of a hedge that was not the first with content.
var errLost = &gateway.Error{Kind: wire.KindUpstream, Phase: "hedge", Message: "another target answered first"}

// raced is what an attempt of a race has come to.
type raced struct {
	*attempt
	answer answer
	err    error
}

// hedgeAfter is how long the first attempt may go without content before a
// second is made beside it; 0 for ever.
func (c *call) hedgeAfter(a *attempt) time.Duration {
	retry := c.way.trip.Retry()
	if !retry.Hedge || c.form != nil || c.sequel != nil {
		return 0
	}
	c.proxy.gateway.Hedges.First()
	if retry.HedgeDelay > 0 || !c.x.Stream {
		return retry.HedgeDelay
	}
	return c.proxy.gateway.Health.Look(health.Target(a.route.Target)).P95
}

// race runs first, and when it has no content after a while, a second attempt
// elsewhere. The first content wins, and the loser is cancelled. One that fails
// leaves the race to the other.
func (c *call) race(first *attempt, after time.Duration) (answer, error) {
	results := make(chan raced, len(c.pulse.watches))
	go first.compete(results)
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case r := <-results:
		return c.only(r)
	case <-timer.C:
	}
	home := c.way
	second, mine := c.hedge()
	if second == nil {
		return c.only(<-results)
	}
	go second.compete(results)
	for {
		r := <-results
		switch {
		case r.err == nil:
			c.win(r.attempt, home, mine)
			loser := first
			if r.attempt == first {
				loser = second
			}
			if !loser.done {
				loser.lose(results)
			}
			return r.answer, nil
		case first.done || second.done:
			// Both have failed; what the next attempt follows is the last.
			r.ended(r.err)
			home.trip.Failed(r.pick)
			c.win(r.attempt, home, mine)
			return nil, r.err
		default:
			r.ended(r.err)
			asBlocked(r.err).drop()
			telemetry.FailSpan(r.span, c.x.Start, r.told)
			home.trip.Failed(r.pick)
		}
	}
}

// only is the outcome of a race that has not come about.
func (c *call) only(r raced) (answer, error) {
	if r.err != nil {
		r.ended(r.err)
	}
	return r.answer, r.err
}

// compete runs an attempt on a goroutine of its own.
func (a *attempt) compete(results chan<- raced) {
	r := raced{attempt: a}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			r.answer, r.err = nil, crashed(p)
		}
		results <- r
	}()
	r.answer, r.err = a.run()
}

// hedge makes the second attempt ready: at another target, within the budget
// of hedges, allowed and with room under its own limits, which are held beside
// the first's. Nil when there is none to make. mine is what the first holds.
func (c *call) hedge() (second *attempt, mine booking) {
	home := c.way
	pick := home.trip.Elsewhere(gateway.ReasonHedge)
	if pick == nil {
		return nil, mine
	}
	if !c.proxy.gateway.Hedges.Allow() {
		home.trip.Return(home.pick)
		return nil, mine
	}
	mine = c.swap(booking{})
	err := c.take(pick)
	if err == nil {
		_, err = c.book(c.proxy.gateway.Now(), atOnce)
		c.countRefusal()
	}
	if err == nil {
		second, err = c.attempt(pick)
	}
	if err != nil {
		home.trip.Return(home.pick)
		c.turn(home)
		c.free(c.swap(mine))
		return nil, mine
	}
	second.start()
	c.proxy.metrics.Hedge()
	return second, mine
}

// win makes a the attempt that the call goes on with. mine is what the attempt
// on the way home holds of limits; the call has what the other one holds.
func (c *call) win(a *attempt, home way, mine booking) {
	if a.pick == home.pick {
		c.turn(home)
		c.free(c.swap(mine))
	} else {
		c.free(mine)
	}
	c.current = a
	c.x.Choose(a.told)
	c.out.prepare(a.announce)
}

// lose cancels an attempt that another was faster than. What it brings is
// dropped when it comes; what it cost is in the record.
func (a *attempt) lose(results <-chan raced) {
	a.note(errLost)
	a.cancel(errLost)
	telemetry.FailSpan(a.span, a.call.x.Start, a.told)
	go func() {
		r := <-results
		if r.answer != nil {
			r.answer.drop()
		}
		r.ended(errLost)
	}()
}
