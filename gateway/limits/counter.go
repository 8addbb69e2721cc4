package limits

import "time"

// A sliding window is counted in slots of 1/32 of its length, rounded up to a
// microsecond: it overlaps at most parts+1 of them.
const (
	parts = 32
	Slots = parts + 1
)

// Instant is one reading of a clock.
type Instant struct {
	// Micros are microseconds that never jump with the wall clock; they are
	// what sliding windows and leases are measured in.
	Micros int64

	// Wall is what calendar windows follow.
	Wall time.Time
}

// Counter counts one rule's use by the amounts admitted. It is not safe for
// concurrent use.
//
// # The algorithm
//
// A sliding window W is cut into 32 slots. An amount is counted in the slot
// in which it was reserved, and the slots are fixed in time: slot i is
// [i·W/32, (i+1)·W/32). At time t the window (t-W, t] overlaps the slot of t
// and the 32 before it, the oldest only in part. Each slot knows when something
// was last reserved in it, and counts in full until that leaves the window. A
// reservation is admitted if the sum of all slots and its amount fit.
//
// What is promised: whatever the arrivals are, no window of length W, begun
// at any moment, holds more than the limit in admitted amounts. There is
// no edge at which a burst could double.
//
// What it costs: an amount leaves the sum together with the last one of its
// slot, so room may come back late, by less than W/32, never early. What was
// reserved at one moment comes back to the microsecond, and nobody is told to
// wait for longer than W.
//
// A calendar window is one slot that begins and ends with its period.
//
// Settling corrects the slot of the reservation, so that a refund makes room
// in the same windows that the reservation filled. A refund is never more
// than was reserved. What was used beyond the reservation is a debt, in the
// same slot too; if that slot has left the window already, or is about to, the
// debt goes to the current one, since it is charged somewhere or forgotten. A debt
// may raise the sum over the limit, which the reservations after it pay.
//
// Time never runs backwards in a counter: an earlier instant than the last
// counts as the last.
//
// The script of the Redis store is the same algorithm; one test runs the same
// traces through both.
type Counter struct {
	// head is the newest slot: its number, or the start of the period.
	head int64

	// width is the slot's; 0 for calendar windows, which end at stop.
	width int64
	stop  int64

	total int64
	ring  []int64

	// held is what of total is reserved and not settled: no ledger knows it yet.
	held int64

	// early is how long before the end of each slot of ring something was last
	// reserved in it, in microseconds; 0 where nobody knows. at is the last
	// moment at which the counter was looked at.
	early []int64
	at    int64

	leases leases

	// told is what a shared store said last, without what this counter has
	// counted since; nil where none has said anything.
	told *Counter

	// generation is the life of the store that said it.
	generation int64
}

// Tell takes over what a shared store says that the window holds, as of
// generation, and remembers it.
func (c *Counter) Tell(rule *Rule, now Instant, used, generation int64) {
	if c.told == nil {
		c.told = &Counter{}
	}
	for _, counter := range []*Counter{c.told, c} {
		counter.Advance(rule, now)
		counter.Level(used)
	}
	c.generation = generation
}

// Told is what Tell took over of what the window holds now, and the
// generation.
func (c *Counter) Told(rule *Rule, now Instant) (used, generation int64) {
	if c.told == nil {
		return 0, 0
	}
	c.told.Advance(rule, now)
	return c.told.Used(), c.generation
}

// Advance brings the counter to now, for rule. A rule with another window
// than the counter was kept for starts it anew.
func (c *Counter) Advance(rule *Rule, now Instant) {
	switch {
	case rule.Unit == Concurrency:
		c.leases.expire(now.Micros)
		c.total = c.leases.weight
	case rule.Calendar != Sliding:
		if c.width != 0 {
			*c = Counter{}
		}
		// Looking the period up costs more than everything else here.
		if micros := now.Wall.UnixMicro(); micros >= c.stop {
			start, end := rule.Period(now.Wall)
			c.head, c.stop, c.total, c.held = start.UnixMicro(), end.UnixMicro(), 0, 0
		}
	default:
		c.slide(rule.Slot(), now.Micros)
	}
}

// slide forgets the slots that have left the window.
func (c *Counter) slide(width, micros int64) {
	if c.width != width {
		all := make([]int64, 2*Slots)
		*c = Counter{width: width, ring: all[:Slots:Slots], early: all[Slots:], head: micros / width}
	}
	c.at = max(c.at, micros)
	head := c.at / width
	if head-c.head >= Slots {
		clear(c.ring)
		clear(c.early)
		c.total = 0
	} else {
		for slot := c.head + 1; slot <= head; slot++ {
			c.forget(slot)
		}
	}
	c.head = head
	if c.at >= c.gone(head-parts) {
		c.forget(head - parts)
	}
}

// forget empties a slot, or the one whose place in the ring it takes.
func (c *Counter) forget(slot int64) {
	i := index(slot)
	c.total -= c.ring[i]
	c.ring[i], c.early[i] = 0, 0
}

// gone is when a slot of the ring has left the window.
func (c *Counter) gone(slot int64) int64 {
	return (slot+Slots)*c.width - c.early[index(slot)]
}

// Used is what the window holds, at most MaxAmount.
func (c *Counter) Used() int64 { return min(c.total, MaxAmount) }

// Fits reports whether amount more is within limit.
func (c *Counter) Fits(amount, limit int64) bool { return c.total <= limit-amount }

// Add counts amount and returns its slot.
func (c *Counter) Add(amount int64) (slot int64) {
	c.change(c.head, amount)
	return c.head
}

// Hold is Add of what is to be settled.
func (c *Counter) Hold(amount int64) (slot int64) {
	c.held = Add(c.held, amount)
	return c.Add(amount)
}

// Amend corrects what Hold counted in slot from reserved to amount, and goes on
// holding that.
func (c *Counter) Amend(slot, reserved, amount int64) {
	c.Settle(slot, reserved, amount)
	if c.holds(slot) {
		c.held = Add(c.held, amount)
	}
}

// holds reports whether what was reserved in slot is part of held: a calendar
// window leaves what its period before held.
func (c *Counter) holds(slot int64) bool { return c.width != 0 || slot == c.head }

// Settle corrects what Hold counted in slot from reserved to actual.
func (c *Counter) Settle(slot, reserved, actual int64) {
	if c.holds(slot) {
		c.held = clamp(c.held - reserved)
	}
	oldest := c.head
	if c.width != 0 {
		oldest -= parts
	}
	delta := clamp(actual) - reserved
	switch {
	case slot < oldest || slot > c.head:
		if delta <= 0 {
			return
		}
		slot = c.head
	case c.width != 0 && slot == oldest && delta > 0:
		slot = c.head // the oldest may have left
	}
	c.change(slot, delta)
}

// Level sets what the window holds to used, when another counter is known to
// be right. What is missing is counted now; what is too much is taken from the
// newest slots, where reservations wait for their refunds.
func (c *Counter) Level(used int64) {
	delta := clamp(used) - c.total
	if delta >= 0 || c.width == 0 {
		c.change(c.head, delta)
		return
	}
	for slot := c.head; delta < 0 && slot >= c.head-parts; slot-- {
		take := min(c.ring[index(slot)], -delta)
		c.change(slot, -take)
		delta += take
	}
}

// Restore raises what the window holds to what h has of it, besides what is
// reserved at the moment, which h cannot have: its refund would be taken from what
// was used otherwise. What is missing is counted when it was used, the newest first:
// that is what stays for longest.
func (c *Counter) Restore(h *History) {
	if c.width == 0 {
		c.change(c.head, max(0, Add(h.Sum(), c.held)-c.total))
		return
	}
	var used, last [Slots]int64
	sum := int64(0)
	for _, use := range h.Uses {
		at := c.at - max(0, use.Ago.Microseconds())
		slot := at / c.width
		if slot < c.head-parts || at <= c.at-parts*c.width {
			continue
		}
		i, amount := index(slot), clamp(use.Amount)
		used[i] = Add(used[i], amount)
		last[i] = max(last[i], at-slot*c.width)
		sum = Add(sum, amount)
	}
	// What is held was reserved of late.
	missing, held := Add(sum, c.held)-c.total, c.held
	for slot := c.head; missing > 0 && slot >= c.head-parts; slot-- {
		i := index(slot)
		own := min(held, c.ring[i])
		held -= own
		amount := min(used[i]-(c.ring[i]-own), missing)
		if amount <= 0 {
			continue
		}
		missing -= amount
		was := c.ring[i]
		c.change(slot, amount)
		switch {
		case slot == c.head:
		case was == 0:
			c.early[i] = c.width - last[i]
		case c.early[i] != 0:
			c.early[i] = min(c.early[i], c.width-last[i])
		}
	}
}

func (c *Counter) change(slot, delta int64) {
	if c.width == 0 {
		c.total = clamp(c.total + delta)
		return
	}
	i := index(slot)
	was := c.ring[i]
	is := clamp(was + delta)
	c.ring[i] = is
	c.total += is - was
	switch {
	case is == 0:
		c.early[i] = 0
	case slot == c.head && delta > 0:
		c.early[i] = (slot+1)*c.width - c.at
	}
}

// Never is the wait for room that cannot come: the amount is over the limit
// itself.
const Never time.Duration = -1

// Soon is what is said of a concurrency limit that is full: room comes
// when any request ends, which nobody knows.
const Soon = time.Second

// Wait is how long it takes until amount fits into limit if nothing else
// happens: Never, or more than 0.
func (c *Counter) Wait(rule *Rule, now Instant, amount, limit int64) time.Duration {
	switch {
	case amount > limit:
		return Never
	case rule.Unit == Concurrency:
		return Soon
	case rule.Calendar != Sliding:
		return micros(c.stop - now.Wall.UnixMicro())
	}
	need := c.total - (limit - amount)
	for slot := c.head - parts; slot < c.head; slot++ {
		if need -= c.ring[index(slot)]; need <= 0 {
			return micros(c.gone(slot) - now.Micros)
		}
	}
	return micros(c.gone(c.head) - now.Micros)
}

// Reset is how long it takes until the window is empty if nothing else
// happens; 0 when it is.
func (c *Counter) Reset(rule *Rule, now Instant) time.Duration {
	switch {
	case rule.Unit == Concurrency:
		return 0
	case rule.Calendar != Sliding:
		return micros(c.stop - now.Wall.UnixMicro())
	case c.total == 0:
		return 0
	}
	slot := c.head
	for slot > c.head-parts && c.ring[index(slot)] == 0 {
		slot--
	}
	return micros(c.gone(slot) - now.Micros)
}

// Idle reports whether the counter holds nothing, so that forgetting it
// changes no decision.
func (c *Counter) Idle(now Instant) bool {
	if !c.leases.idle(now.Micros) {
		return false
	}
	switch {
	case c.total == 0 || c.leases.held != nil:
		return true
	case c.width != 0:
		return now.Micros/c.width >= c.head+Slots
	default:
		return now.Wall.UnixMicro() >= c.stop
	}
}

// index is a slot's place in the ring.
func index(slot int64) int64 { return ((slot % Slots) + Slots) % Slots }

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
