package handlers

import (
	"slices"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// otherModel is where a limit that is nearly spent, or has no room, would have
// the call go; nil if none names a model that the call may use. admitted says
// that r holds its amounts.
func (c *call) otherModel(r *limits.Reservation, admitted bool) *way {
	for i := range r.Claims {
		rule := r.Claims[i].Rule
		if rule.Shadow || !spent(r, i, admitted) {
			continue
		}
		if route := c.alternative(rule.Downgrade); route != nil {
			return route
		}
	}
	return nil
}

// spent reports whether claim i's limit has a model for when it is nearly
// spent, and is.
func spent(r *limits.Reservation, i int, admitted bool) bool {
	rule, d := r.Claims[i].Rule, &r.Decisions[i]
	if rule.Downgrade == "" {
		return false
	}
	used := d.Used
	if admitted {
		used -= r.Claims[i].Amount
	}
	return d.Over || rule.Nearly(used)
}

// alternative is the route to a model that the call may use instead of its own:
// the key's allow-list and every rule are asked as for the first.
// Nil if it may not, has been there, or its client has seen headers that name
// another.
func (c *call) alternative(name string) *way {
	if name == "" || c.out.started() {
		return nil
	}
	ask := c.ask()
	ask.Model, ask.Internal = name, true
	trip, err := c.proxy.gateway.Itinerary(&ask)
	if err != nil {
		return nil
	}
	pick, err := trip.First()
	if err != nil {
		return nil
	}
	other, was := way{trip, pick}, c.way
	if target := pick.Route.Target; target == c.target.Target || c.beenTo(target) {
		other.abandon()
		return nil
	}
	c.turn(other)
	defer c.turn(was)
	if c.permitted() != nil {
		other.abandon()
		return nil
	}
	return &other
}

// turns are the ways that a call has turned away from, and the counters in which it
// gave room back. refused is what is to be counted of a refusal: see countRefusal.
type turns struct {
	left    []way
	freed   []string
	refused []decided
}

func (q *quota) turned() *turns {
	if q.turns == nil {
		q.turns = new(turns)
	}
	return q.turns
}

// leave notes that the call turns away from w.
func (c *call) leave(w way) {
	t := c.quota.turned()
	t.left = append(t.left, w)
}

// beenTo reports whether the call has turned away from target.
func (c *call) beenTo(target gateway.Target) bool {
	t := c.quota.turns
	return t != nil && slices.ContainsFunc(t.left, func(w way) bool { return w.pick.Route.Target == target })
}

// abandonLeft gives up the ways that the call has not taken in the end.
func (c *call) abandonLeft() {
	t := c.quota.turns
	if t == nil {
		return
	}
	for _, w := range t.left {
		if w.pick != c.way.pick {
			w.abandon()
		}
	}
	t.left = t.left[:0]
}

// giveBack ends what the call holds as if it had not been asked for. Those who
// wait for room hear of it when the call has found some for its other model: it
// has been in front of them already.
func (c *call) giveBack() {
	r := c.release(nil)
	if r == nil {
		return
	}
	t := c.quota.turned()
	for i := range r.Claims {
		t.freed = append(t.freed, r.Claims[i].Key)
	}
	reservations.Put(r)
}

func (c *call) wakeFreed() {
	if t := c.quota.turns; t != nil {
		for _, key := range t.freed {
			c.proxy.queues.Wake(key)
		}
	}
}
