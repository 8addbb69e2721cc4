package handlers

import (
	"errors"

	"github.com/weirproxy/weir/gateway"
)

// standIn shows a kept answer in place of err, if one may: for a failure that is
// not the request's, and that the client has seen nothing of.
func (c *call) standIn(err error) error {
	k := c.keeping
	if k == nil || k.stale == nil || !passing(err) {
		return err
	}
	if cause := c.cause(); cause != nil && !errors.Is(cause, gateway.ErrTotal) {
		return err // nobody waits any more, or the process ends
	}
	c.landWith(k.stale)
	c.releaseKept()
	return k.stale.show()
}

// lastResort shows a kept answer where nothing is there that could give another;
// err is why.
func (c *call) lastResort(err error) error {
	if c.way.trip == nil || !passing(err) {
		return err
	}
	c.target = c.way.trip.Own()[0]
	if err := c.permitted(); err != nil {
		return err
	}
	if c.remember() != nil || c.keeping == nil || !c.keeping.asked.looks() {
		return err
	}
	c.timeLookup()
	c.heed()
	k := c.keeping
	hit := c.consider(k.exact.answers.Get(k.key, k.scope))
	if hit == nil && k.stale == nil {
		hit = c.consider(k.exact.answers.Fetch(c.ctx, k.key, k.scope))
	}
	if hit == nil {
		hit = k.stale
	}
	if hit == nil {
		return err
	}
	return hit.show()
}

// passing reports whether a failure is one that passes, and not the caller's own
// limit.
func passing(err error) bool {
	if errors.Is(err, gateway.ErrTotal) {
		return true // no other attempt may be made, but a kept answer takes no time
	}
	class, ok := gateway.Classify(err)
	return ok && class != gateway.ClassContextLength && class != gateway.ClassContentPolicy && gateway.AsError(err).Phase != "limit"
}
