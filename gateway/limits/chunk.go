package limits

import (
	"sync"
	"time"
)

// chunk is what an instance holds of one counter: room that was lent, and what
// is to be reported of its use. See Leased.
//
// Between two answers of the store room, deltas and back always add up to what
// the store has noted as lent: whatever changes one changes another.
type chunk struct {
	mu   sync.Mutex
	key  string
	rule *Rule

	// gone says that the chunk has left the map; look it up again.
	gone bool

	// room is what can be decided about here; below 0 there are debts.
	room int64

	// deltas is what the store does not know yet, back what was refunded too
	// late to be used again here.
	deltas []Delta
	back   int64

	// sent is the report that is under way, or whose answer was lost.
	sent report

	// total, held, free and generation are the counter as of the last answer,
	// over is the wait when it refused then, else 0; answered is the number of
	// the question.
	total, held, free, generation int64
	answered                      int64
	over                          time.Duration

	// now was the store's time at some moment after origin.
	origin time.Time
	now    int64

	// head is the newest slot, until the end of the room's use, reset when the
	// counter is empty, due when the next report is, expiry when the store may
	// take the room back: all by the store's time.
	head, until, reset, due, expiry int64

	// taken is what was taken since the last answer, target how much room was
	// wanted ahead of time then, low when more is asked for. Tight says that it
	// was not granted in full.
	taken, target, low int64
	tight              bool

	// flight is under way, flights have ended; waiting is what requests wait
	// for that came too late for it.
	flight  *flight
	flights int64
	waiting int64
}

// report is what was sent under one Seq.
type report struct {
	seq, give int64
	deltas    []Delta
	open      bool
}

// flight is one question to the store.
type flight struct {
	done chan struct{}
	err  error
}

// at is no earlier than the store's time. A process that was stopped, and a
// machine that slept, whose monotonic clock stood still, find that it has gone
// on.
func (c *chunk) at(now time.Time) int64 {
	elapsed := max(now.Sub(c.origin), now.Round(0).Sub(c.origin.Round(0)), 0)
	return c.now + elapsed.Microseconds() + 1
}

// lendingTime is how long the store keeps a loan: within it the window moves
// by no more than its quarter. 0 if the rule is not lent on.
func (l *Leased) lendingTime(rule *Rule) int64 {
	if rule.Unit == Concurrency {
		return 0
	}
	t := l.terms.Time.Microseconds()
	if rule.Calendar == Sliding {
		t = min(t, rule.Window.Microseconds()/4)
	}
	if t < ShortestLease.Microseconds() {
		return 0
	}
	return t
}

// slot is the newest at a moment.
func (c *chunk) slot(at int64) int64 {
	if c.rule.Calendar != Sliding {
		return c.head
	}
	return max(c.head, at/c.rule.Slot())
}

// take uses room for amount, if there is.
func (c *chunk) take(amount int64, now time.Time) (slot int64, ok bool) {
	at := c.at(now)
	if at >= c.until || c.room < amount {
		return 0, false
	}
	c.room -= amount
	return c.use(amount, at), true
}

// use notes what was taken.
func (c *chunk) use(amount, at int64) (slot int64) {
	slot = c.slot(at)
	c.taken += amount
	last := int64(unused)
	if width := c.rule.Slot(); c.rule.Calendar == Sliding {
		last = max(0, at-slot*width)
		c.reset = max(c.reset, at+parts*width)
	}
	c.note(slot, amount, last)
	return slot
}

// undo gives back what take took.
func (c *chunk) undo(slot, amount int64) {
	c.room += amount
	c.taken = max(0, c.taken-amount)
	c.note(slot, -amount, unused)
}

// unused is the Last of a Delta that is no use.
const unused = -1

func (c *chunk) note(slot, amount, last int64) {
	if amount == 0 {
		return
	}
	for i := len(c.deltas) - 1; i >= 0; i-- {
		if c.deltas[i].Slot == slot {
			c.deltas[i].Amount += amount
			c.deltas[i].Last = max(c.deltas[i].Last, last)
			return
		}
	}
	c.deltas = append(c.deltas, Delta{slot, amount, last})
}

// settle corrects what take took. A refund is room again if its slot stays in
// the window until the store has heard of it.
func (c *chunk) settle(slot, reserved, actual, lending int64, now time.Time) {
	at, delta := c.at(now), clamp(actual)-reserved
	switch sliding := c.rule.Calendar == Sliding; {
	case delta > 0:
		if sliding && slot <= c.slot(at)-parts || !sliding && (slot != c.head || at >= c.until) {
			slot = newest
		}
		c.room -= delta
	case at < c.until && (!sliding || (slot+parts)*c.rule.Slot()-at > lending):
		c.room -= delta
	default:
		c.back -= delta
	}
	c.note(slot, delta, unused)
}

// decision is the state of the counter as far as it is known here.
func (c *chunk) decision(limit int64, now time.Time) Decision {
	used := clamp(c.total - c.room)
	d := Decision{Limit: limit, Used: used, Remaining: max(0, limit-used), Generation: c.generation}
	if left := c.reset - c.at(now); left > 0 {
		d.Reset = micros(left)
	}
	return d
}

// depart makes the chunk's part of a question to the store. Of amount, own is
// taken from the room; the rest is asked for. Room that exceeds what is worth
// having, or the chunk that would be granted now, goes back.
func (c *chunk) depart(amount, lending, seq int64, terms *Terms, instances int64, closed bool, now time.Time) (loan Loan, own, expected int64) {
	at := c.at(now)
	valid := at < c.until
	if valid && amount > 0 {
		own = min(max(c.room, 0), amount)
		c.room -= own
	}
	c.target = c.demand(at, lending, closed)
	if !c.sent.open {
		give := max(0, c.room)
		if valid {
			give = max(0, c.room-min(c.target, Multiply(c.free+max(0, c.room), terms.Percent)/100/instances))
		}
		c.room -= give
		spare := c.sent.deltas[:0]
		c.sent = report{seq: seq, give: give + c.back, deltas: c.deltas, open: true}
		c.deltas, c.back = spare, 0
	}
	expected = c.room + own + c.back
	for _, d := range c.deltas {
		expected += d.Amount
	}
	loan = Loan{
		Claim:      Claim{Key: c.key, Rule: c.rule, Amount: amount - own},
		Generation: c.generation, Seq: c.sent.seq, Question: seq, Last: c.answered, Deltas: c.sent.deltas, Give: c.sent.give,
		Also: c.waiting, Ahead: max(0, c.target-max(0, c.room)), Time: lending,
	}
	loan.Known, loan.Holding = c.knowledge(at)
	c.waiting = 0
	return loan, own, expected
}

// knowledge is what the counter is known to have held, and what of it is this
// chunk's: what a store that has lost it is told.
func (c *chunk) knowledge(at int64) (known, holding int64) {
	gone := c.reset
	if c.rule.Calendar == Sliding {
		gone = c.now + Slots*c.rule.Slot()
	}
	switch {
	case c.generation == 0 || at >= gone:
		return 0, -1
	case at >= c.expiry:
		return max(0, c.total-c.held), -1
	default:
		return c.total, c.held
	}
}

// knows reports whether there is anything to tell a store that has lost it.
func (c *chunk) knows() bool { return c.total > 0 }

// outlived reports whether the chunk is of an earlier life of its store.
func (c *chunk) outlived(generation int64) bool {
	return c.generation != 0 && c.generation != generation
}

// demand is how much room is worth having: for as long as it may be used, at
// the pace of late, but no more than four times what was enough before.
func (c *chunk) demand(at, lending int64, closed bool) int64 {
	if closed || c.taken == 0 {
		return 0
	}
	pace := float64(c.taken) / float64(max(1, at-c.now))
	wanted := pace * float64(lending/2) * 1.25
	return int64(min(wanted, 4*float64(max(c.target, c.taken)), MaxAmount))
}

// arrive takes the answer. own and expected are depart's.
func (c *chunk) arrive(loan *Loan, granted bool, own, expected int64, sent time.Time) {
	need := loan.Amount
	if !granted {
		need = 0
		c.room += own
	}
	more := loan.Held - expected - need
	c.room += more
	c.tight = !granted || more < loan.Also+loan.Ahead
	c.total, c.held, c.generation, c.answered = loan.Decision.Used, loan.Held, loan.Decision.Generation, loan.Question
	c.free = max(0, loan.Decision.Limit-c.total)
	c.over = loan.Decision.Wait
	c.origin, c.now, c.head = sent, loan.Now, loan.Head
	c.until, c.due, c.expiry = c.now+loan.Time/2, c.now+loan.Time*3/8, c.now+loan.Time
	c.reset = c.now + loan.Decision.Reset.Microseconds()
	if c.rule.Calendar != Sliding {
		c.until = min(c.until, c.reset)
	}
	c.low, c.taken = max(0, c.room)/4, 0
	c.sent = report{deltas: c.sent.deltas[:0]}
}

// idle reports whether there is nothing to report, to use or to give back.
func (c *chunk) idle() bool {
	return c.flight == nil && !c.sent.open && len(c.deltas) == 0 && c.back == 0 && c.room <= 0
}
