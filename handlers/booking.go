package handlers

import (
	"github.com/weirproxy/weir/gateway/limits"
)

// booking is what a call holds of limits for one target, while it has two.
type booking struct {
	held  *limits.Reservation
	renew *renewal
	need  need
	cap   int64
}

// swap puts b in the place of what the call holds, and returns that.
func (c *call) swap(b booking) booking {
	c.quota.correct(c)
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	was := booking{q.held, q.renew, q.need, c.cap}
	q.held, q.renew, q.need, c.cap = b.held, b.renew, b.need, b.cap
	return was
}

// free gives back what b holds, as if it had not been asked for.
func (c *call) free(b booking) {
	if b.held == nil {
		return
	}
	mine := c.swap(b)
	if r := c.release(nil); r != nil {
		c.wakeQueues(r)
		reservations.Put(r)
	}
	c.swap(mine)
}
