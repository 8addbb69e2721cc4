package limits

// LeaseTime is how long a place under a concurrency limit is held unless it
// is renewed, in microseconds: a crash frees its places within it.
const LeaseTime = 30_000_000

// leases are the places taken under a concurrency limit.
type leases struct {
	held   map[uint64]lease
	weight int64

	// earliest is no later than the first expiry: nothing is looked through
	// before it.
	earliest int64
}

type lease struct{ expiry, weight int64 }

// expire frees the places whose lease has run out.
func (l *leases) expire(now int64) {
	if len(l.held) == 0 || now < l.earliest {
		return
	}
	l.earliest = 1<<63 - 1
	for id, held := range l.held {
		if held.expiry <= now {
			l.weight -= held.weight
			delete(l.held, id)
			continue
		}
		l.earliest = min(l.earliest, held.expiry)
	}
}

func (l *leases) idle(now int64) bool {
	l.expire(now)
	return len(l.held) == 0
}

// Take holds a place of weight for id until expiry.
func (c *Counter) Take(id uint64, weight, expiry int64) {
	l := &c.leases
	if l.held == nil {
		l.held = map[uint64]lease{}
	}
	if len(l.held) == 0 || expiry < l.earliest {
		l.earliest = expiry
	}
	l.held[id] = lease{expiry, weight}
	l.weight += weight
	c.total = l.weight
}

// Renew moves id's expiry. A lease that has run out is taken again if there
// is room within limit; else false.
func (c *Counter) Renew(id uint64, weight, expiry, limit int64) bool {
	l := &c.leases
	if held, ok := l.held[id]; ok {
		held.expiry = expiry
		l.held[id] = held
		return true
	}
	if !c.Fits(weight, limit) {
		return false
	}
	c.Take(id, weight, expiry)
	return true
}

// Release frees id's place, if it still holds one.
func (c *Counter) Release(id uint64) {
	l := &c.leases
	l.weight -= l.held[id].weight
	delete(l.held, id)
	c.total = l.weight
}
