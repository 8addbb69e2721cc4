package handlers

import (
	"errors"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// reservations holds *limits.Reservation, with their claims' memory.
var reservations = sync.Pool{New: func() any { return new(limits.Reservation) }}

// quota is what a call holds of the limits that it falls under.
type quota struct {
	// mu guards held: leases are renewed on a timer's goroutine.
	mu    sync.Mutex
	held  *limits.Reservation
	renew *renewal
	need  need // what held rests on; its margin is guarded by mu too

	// first is the memory of the first renewal.
	first renewal

	// marking says that mu is locked while a margin is reserved.
	marking bool

	// free is set for a call whose answer is not paid for.
	free *free

	// told is what the headers are to say of toldOf, nil where they do.
	told   *texts
	toldOf *limits.Reservation

	turns *turns // nil for most calls
}

// manner is how room is asked for.
type manner struct {
	// direct does not go behind those who wait: the call has given up room of
	// its own just now. once does not wait. settled turns to no other model. forced
	// takes it whatever the limits say, also for a client that has left.
	direct, once, settled, forced bool
}

// atOnce asks for room for this target or none: a call that has been under way
// does not begin to wait, nor turns to another model.
var atOnce = manner{direct: true, once: true, settled: true}

// whereUsed asks for room at a target that has been called, in place of that at one
// which was to follow it and did not: what was used is charged where it was.
var whereUsed = manner{direct: true, once: true, settled: true, forced: true}

// reserve takes room under all limits at once, or under none, before any
// provider is paid. Where a limit is nearly spent and names another model, the
// call goes there, if it may use that and finds room for it; else its own model
// is used for as long as there is room. A refusal is not counted yet.
func (c *call) reserve() error {
	arrived := c.proxy.gateway.Now()
	home, m := c.way, manner{}
	defer c.wakeFreed()
	defer c.abandonLeft()
	for {
		other, err := c.book(arrived, m)
		switch {
		case other != nil:
			if err == nil {
				c.giveBack()
				home, m = c.way, manner{direct: true, once: true}
			}
			c.leave(c.way)
			c.turn(*other)
		case err == nil || c.way == home || c.out.started():
			return err
		default:
			c.leave(c.way)
			c.turn(home)
			m = manner{direct: m.direct, settled: true}
		}
	}
}

// book takes room for the call to its target: the prompt's tokens and the cap
// on the answer's, which is written into the call if the client named none. other
// is the model that a limit would rather have it go to; the room is
// taken nevertheless if err is nil.
func (c *call) book(arrived time.Time, m manner) (other *way, err error) {
	start := c.proxy.gateway.Now()
	r := reservations.Get().(*limits.Reservation)
	r.Reset()
	r.Force = m.forced
	q := &c.quota
	defer func() {
		if q.held != r {
			reservations.Put(r)
		}
	}()
	q.need, c.cap = need{}, 0
	if q.turns != nil {
		q.turns.refused = q.turns.refused[:0]
	}
	if err := c.claim(r); err != nil || len(r.Claims) == 0 {
		return nil, err
	}
	if err := c.mark(r); err != nil {
		return nil, err
	}
	defer c.marked(r)
	queued := c.x.Timings.Queue
	ok, why, err := c.takeRoom(r, arrived, m)
	c.x.Update(func() { c.x.Timings.Limit += c.proxy.gateway.Now().Sub(start) - (c.x.Timings.Queue - queued) })
	if err != nil {
		if cause := c.cause(); cause != nil {
			return nil, cause
		}
		var told *gateway.Error
		if errors.As(err, &told) {
			return nil, told
		}
		return nil, &gateway.Error{Kind: wire.KindOverloaded, Phase: "limit", Message: "limits cannot be checked at the moment", Cause: err}
	}
	if !m.settled && why == nil && c.quota.free == nil {
		other = c.otherModel(r, ok)
	}
	c.countDecisions(r, ok, other != nil)
	c.noteLimits(r)
	if other == nil {
		c.setLimits(r)
	}
	if !ok {
		err = c.refusal(r, why)
		return other, err
	}
	c.hold(r)
	return other, nil
}

// hold keeps r until the call settles, and its leases from running out.
func (c *call) hold(r *limits.Reservation) {
	q := &c.quota
	if !q.marking {
		q.mu.Lock()
		defer q.mu.Unlock()
	}
	q.held = r
	for i := range r.Claims {
		if r.Claims[i].Rule.Unit == limits.Concurrency {
			if q.renew = &q.first; q.first.held != nil {
				q.renew = new(renewal)
			}
			q.renew.begin(c, r)
			break
		}
	}
}

// countsOutput reports whether what is held rests on how much is generated at most.
func (q *quota) countsOutput() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held != nil && q.need.output > 0
}

// rebook takes room for another target in place of that for the last one. If
// there is none, what was held is held again, whatever the limits say: the call
// has been made, and what it has used is charged, also to a client that has left.
func (c *call) rebook(m manner) error {
	q := &c.quota
	held := q.need
	held.rough = false // what it holds too much of is its own to the end
	was := c.release(nil)
	_, err := c.book(c.proxy.gateway.Now(), m)
	c.countRefusal()
	if was == nil {
		return err
	}
	if err == nil {
		c.wakeQueues(was)
		reservations.Put(was)
		return nil
	}
	c.holdAgain(was, held)
	return err
}

// holdAgain holds r, which has been settled, again.
func (c *call) holdAgain(r *limits.Reservation, of need) {
	r.Force = true
	if ok, err := c.askStore(r); ok && err == nil {
		c.quota.need = of
		c.hold(r)
	}
}
