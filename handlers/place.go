package handlers

import (
	"fmt"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/wire"
)

// enter takes a place at the provider of the call's target. Where all are
// taken, another target that could serve the call at once goes before a wait.
// The place belongs to the call's pick, whose end gives it back.
func (c *call) enter() error {
	visit := &c.way.pick.Health
	if !visit.Full() && visit.Enter() || c.detour() {
		return nil
	}
	err := c.await(visit)
	if err != nil && c.cause() == nil && c.detour() {
		return nil
	}
	return err
}

// detour turns the call to a target whose provider has a place free, takes it,
// and reports whether there was one that the call may go to.
func (c *call) detour() bool {
	home, limit := c.way, c.cap
	if home.trip.Detour(func(pick *gateway.Pick) error {
		why := c.take(pick)
		if why == nil && !pick.Health.Enter() {
			why = c.crowded(&pick.Health, nil)
		}
		if why == nil && pick.Route.Target != home.pick.Route.Target {
			why = c.rebook(atOnce)
		}
		return why
	}) {
		return true
	}
	c.turn(home)
	c.cap = limit
	return false
}

// await waits for a place as long as the provider's queue allows. The pulse
// keeps the client of a stream company, and watches the total timeout.
func (c *call) await(visit *gateway.Visit) error {
	gate, bound := visit.Gate()
	if bound.Queue <= 0 {
		return c.crowded(visit, nil)
	}
	now := c.proxy.gateway.Now()
	ticket, position, err := gate.Join(queue.Request{
		Bearer: c.bearer(), Class: c.class(), Arrived: now, Age: bound.Queue / ages, Length: bound.Length,
	})
	if err != nil {
		return c.crowded(visit, errQueueFull)
	}
	c.proxy.metrics.Queued(1)
	c.out.prepare(func() {
		c.nameTarget()
		c.out.set(headerQueue, strconv.Itoa(position))
	})
	err = c.turnFor(visit, ticket, bound.Queue)
	if err == nil {
		ticket.Admitted()
	} else {
		ticket.Leave(0)
	}
	gate.Left()
	c.proxy.metrics.Queued(-1)
	waited := c.proxy.gateway.Now().Sub(now)
	c.x.Update(func() { c.x.Timings.Queue += waited })
	return err
}

// turnFor takes a place when it is the ticket's turn and one is free, in wait at
// the latest.
func (c *call) turnFor(visit *gateway.Visit, ticket *queue.Ticket, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ticket.Turn():
			if visit.Enter() {
				return nil
			}
			ticket.Stay(0)
		case <-ticket.Out():
			return c.crowded(visit, errPushedOut)
		case <-timer.C:
			return c.crowded(visit, errWaited)
		case <-c.ctx.Done():
			return c.cause()
		}
	}
}

// crowded is the refusal of a call for which its provider has no place; why is
// what ended its wait, nil if it has not waited.
func (c *call) crowded(visit *gateway.Visit, why error) error {
	gate, bound := visit.Gate()
	most, waiting := gate.State(bound)
	e := &gateway.Error{Kind: wire.KindOverloaded, Phase: gateway.PhaseCapacity, RetryAfter: limits.Soon}
	e.Message = fmt.Sprintf("the provider '%s' is busy: it is sent no more than %d calls at a time (max_in_flight); %d wait",
		c.target.Target.Provider, most, waiting)
	if why != nil {
		e.Message += "; " + why.Error()
	}
	return e
}
