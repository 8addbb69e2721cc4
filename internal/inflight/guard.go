package inflight

// Guard says who may still make calls, for the calls that are under way.
type Guard struct {
	// Generation is that of the configuration whose guard it is. It has nothing
	// to say about calls of later ones, whose owners it may not know.
	Generation uint64

	// Check returns why the calls of an owner must end, nil if they may go on.
	Check func(owner any) error
}

// owner is who a call is made for, as the configuration of a generation has
// found.
type owner struct {
	generation uint64
	who        any
}

// NextGeneration numbers a configuration; later ones have higher numbers.
func (r *Registry) NextGeneration() uint64 { return r.generation.Add(1) }

// Own says who the call is made for, once. If the guard that watches now has
// something against that, the call is ended.
func (c *Call) Own(generation uint64, who any) {
	c.owned = owner{generation, who}
	c.owner.Store(&c.owned)
	// After the owner is there to be seen: either this or Watch finds out.
	if g := c.registry.guard.Load(); g != nil {
		c.check(g)
	}
}

// Watch makes g the guard and ends every call that it has something against,
// with what it says as the cause. Guards of an earlier generation do nothing.
func (r *Registry) Watch(g *Guard) {
	for {
		now := r.guard.Load()
		if now != nil && now.Generation > g.Generation {
			return
		}
		if r.guard.CompareAndSwap(now, g) {
			break
		}
	}
	r.each(func(c *Call) { c.check(g) })
}

func (c *Call) check(g *Guard) {
	o := c.owner.Load()
	if o == nil || o.generation > g.Generation {
		return
	}
	if cause := g.Check(o.who); cause != nil {
		c.work.Cancel(cause)
	}
}
