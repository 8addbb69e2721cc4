package handlers

import (
	"errors"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
)

// Why a call that may wait has to go after all; for its refusal.
var (
	errQueueFull = errors.New("too many requests are waiting for it already")
	errPushedOut = errors.New("its place in the queue went to another request")
	errWaited    = errors.New("no room came free in the time that a request may wait")
)

// waiter is a call on its way to room, in one queue at a time.
//
// A call under several limits that have queues goes through them from the most
// special to the most general: who has the turn in one goes on behind those who wait for
// a more general limit. The other way leads back only by a refusal of the
// store. Hence nobody goes round in circles without asking, and of all who wait
// for a limit one asks at a time.
type waiter struct {
	c       *call
	r       *limits.Reservation
	arrived time.Time

	// ticket is a place in the queue of claim at; nil for none.
	ticket *queue.Ticket
	at     int

	since time.Time // when the wait began; zero for never
}

// takeRoom reserves, and where the limit in the way has a queue, waits for room
// there as long as that allows. why is what ended a wait in vain.
func (c *call) takeRoom(r *limits.Reservation, arrived time.Time, m manner) (ok bool, why, err error) {
	w := waiter{c: c, r: r, arrived: arrived}
	defer w.end(&ok)
	at, asked := -1, false
	if !m.direct {
		at = w.busy(len(r.Claims)-1, -1)
	}
	if at >= 0 {
		// Who comes where others wait goes behind them, if that can help.
		if err := w.look(); err != nil || r.Refused >= 0 && !w.worth(r.Refused, m) {
			return false, nil, err
		}
	}
	for {
		if at >= 0 {
			if why, err = w.wait(at, asked); why != nil || err != nil {
				return false, why, err
			}
			at = w.busy(w.at-1, -1)
			asked = false
			continue
		}
		ok, err = c.decide(r)
		if ok || err != nil || r.Refused < 0 || !w.worth(r.Refused, m) {
			return ok, nil, err
		}
		at, asked = r.Refused, true
	}
}

// look fills in what the limits say without taking anything.
func (w *waiter) look() error {
	if err := w.r.Begin(); err != nil {
		return err
	}
	return w.c.proxy.limits.Peek(w.c.ctx, w.r)
}

// queues reports whether calls wait for a rule.
func queues(rule *limits.Rule) bool { return rule.Queue > 0 && !rule.Shadow }

// busy is the claim between from, inclusive, and to, exclusive, for which others wait,
// the most special first; -1 if there is none.
func (w *waiter) busy(from, to int) int {
	for i := from; i > to; i-- {
		if claim := &w.r.Claims[i]; queues(claim.Rule) && w.c.proxy.queues.Busy(claim.Key) {
			return i
		}
	}
	return -1
}

// worth reports whether it can help to wait for claim i, which has refused: a window
// that surely frees no room in time is not waited for, and a model that may be
// had instead goes before a wait.
func (w *waiter) worth(i int, m manner) bool {
	rule, wait := w.r.Claims[i].Rule, w.r.Decisions[i].Wait
	rest := w.until(i).Sub(w.c.proxy.gateway.Now())
	switch {
	case !queues(rule) || m.once || rest <= 0 || wait == limits.Never:
		return false
	case rule.Unit != limits.Concurrency && wait > rest:
		return false
	}
	if m.settled {
		return true
	}
	other := w.c.otherModel(w.r, false)
	if other != nil {
		other.abandon()
	}
	return other == nil
}

// until is when the call has waited long enough for claim i: as long as its
// limit allows, and the request as a whole.
func (w *waiter) until(i int) time.Time {
	return earlier(w.arrived.Add(w.r.Claims[i].Rule.Queue), w.total())
}

func (w *waiter) total() time.Time { return after(w.c.x.Start, w.c.limits(w.c.target).Total) }

// wait takes or keeps a place in the queue of claim at until it is the call's turn
// to ask; asked says that it has just found no room there.
func (w *waiter) wait(at int, asked bool) (why, err error) {
	claim, d := &w.r.Claims[at], &w.r.Decisions[at]
	expected := d.Wait
	if claim.Rule.Unit == limits.Concurrency {
		expected = 0 // a place may come free at any moment
	}
	if w.ticket != nil && w.at == at {
		w.ticket.Stay(expected)
		return w.turn()
	}
	if w.ticket != nil {
		// Those behind it would meet the same more general limit: in its stead
		// only some of them go on.
		var pause time.Duration
		if at < w.at {
			pause = queue.Pace
		}
		w.ticket.Leave(pause)
		w.ticket = nil
	}
	c := w.c
	ticket, position, err := c.proxy.queues.Join(claim.Key, queue.Request{
		Bearer: c.bearer(), Class: c.class(), Arrived: w.arrived,
		Age: claim.Rule.Queue / ages, Length: claim.Rule.QueueLength,
		Asked: asked, Wait: expected,
	})
	w.at = at
	if err != nil {
		w.blame(at)
		return errQueueFull, nil
	}
	w.ticket = ticket
	if w.since.IsZero() {
		w.begin(position)
	}
	return w.turn()
}

// ages is how many classes a key that is passed over rises while its request
// may wait.
const ages = 5

func (w *waiter) begin(position int) {
	c := w.c
	c.heed()
	w.since = c.proxy.gateway.Now()
	c.proxy.metrics.Queued(1)
	if c.out.started() {
		return
	}
	c.out.set(headerQueue, strconv.Itoa(position))
	if c.x.Stream {
		// A heartbeat may send the headers before the call is sent.
		c.nameTarget()
		c.out.expectStream(c.door)
	}
}

// turn waits until the ticket has the turn, and keeps the client of a stream
// company meanwhile.
func (w *waiter) turn() (why, err error) {
	c := w.c
	until := w.until(w.at)
	timer := time.NewTimer(w.beat(until))
	defer timer.Stop()
	for {
		select {
		case <-w.ticket.Turn():
			return nil, nil
		case <-w.ticket.Out():
			w.blame(w.at)
			return errPushedOut, nil
		case <-c.ctx.Done():
			return nil, limits.ErrUnavailable
		case <-timer.C:
			now := c.proxy.gateway.Now()
			switch {
			case !now.Before(w.total()):
				return nil, gateway.ErrTotal
			case !now.Before(until):
				w.blame(w.at)
				return errWaited, nil
			}
			timer.Reset(w.beat(until))
		}
	}
}

// beat sends a heartbeat if one is due, and returns how long it is until the next one
// or the end of the wait.
func (w *waiter) beat(until time.Time) time.Duration {
	rest := until.Sub(w.c.proxy.gateway.Now())
	if w.c.x.Stream {
		now := time.Now()
		if next := w.c.out.heartbeat(now, time.Duration(w.c.proxy.Heartbeat)); !next.IsZero() {
			rest = min(rest, next.Sub(now))
		}
	}
	return max(rest, time.Millisecond)
}

// blame makes claim i the one that refuses. The numbers are those of the last
// look.
func (w *waiter) blame(i int) {
	d := &w.r.Decisions[i]
	w.r.Refused, d.Over = i, true
	if d.Wait == 0 {
		d.Wait = limits.Soon
	}
}

// end gives the place up, for room or for nothing.
func (w *waiter) end(ok *bool) {
	if w.ticket != nil {
		if *ok {
			w.ticket.Admitted()
		} else {
			w.ticket.Leave(0)
		}
	}
	if w.since.IsZero() {
		return
	}
	c := w.c
	c.proxy.metrics.Queued(-1)
	waited := c.proxy.gateway.Now().Sub(w.since)
	c.x.Update(func() { c.x.Timings.Queue += waited })
}

// bearer is whose turn the call takes in queues: the key's, else the user's,
// else its address's.
func (c *call) bearer() string {
	p := &c.caller.principal
	switch {
	case p.Key != "":
		return gateway.ScopeKey + ":" + p.Key
	case p.User != "":
		return gateway.ScopeUser + ":" + p.User
	default:
		return "ip:" + clientIP(c.r)
	}
}

// class is the priority of the caller's key.
func (c *call) class() queue.Class {
	if c.caller.key == nil {
		return queue.Normal
	}
	class, _ := queue.ParseClass(c.caller.key.Priority) // checked when the key was loaded
	return class
}

// wakeQueues tells those who wait for r's limits that room may have come free.
func (c *call) wakeQueues(r *limits.Reservation) {
	for i := range r.Claims {
		c.proxy.queues.Wake(r.Claims[i].Key)
	}
}
