package health

import (
	"sync"
	"sync/atomic"
)

// Budget bounds extra calls, such as retries and hedges, to a share of the
// first calls of the last ten seconds, or to a small number where there are
// few: an upstream that fails must not be sent more for it. Counting first
// calls takes no lock. A nil Budget allows nothing.
type Budget struct {
	clock Clock
	ratio float64
	floor int

	mu      sync.Mutex // of those who ask
	seconds [budgetSeconds]atomic.Uint64
}

const (
	budgetSeconds = 10

	// Retries and fallbacks may add a tenth to a target's load.
	retryRatio = 0.10
	retryFloor = 3

	// HedgeRatio is the default for hedges, which all targets share.
	HedgeRatio = 0.05
)

// NewBudget allows extra calls of ratio times the first calls, and up to
// floor in ten seconds in any case.
func NewBudget(clock Clock, ratio float64, floor int) *Budget {
	b := new(Budget)
	b.init(clock, ratio, floor)
	return b
}

func (b *Budget) init(clock Clock, ratio float64, floor int) {
	b.clock, b.ratio, b.floor = clock, ratio, floor
}

// Retries is the budget of retries and fallbacks to a target. Targets that
// cannot be remembered share one.
func (t *Tracker) Retries(key Target) *Budget {
	x := t.find(key)
	if x == nil {
		if x = t.enter(key, t.clock.Now()); x == nil {
			return &t.retries
		}
		x.inFlight.Add(-1)
	}
	return &x.retries
}

// A second is 24 bits of Unix time and 20 each of first and extra calls, so
// that one atomic operation changes them together.
const (
	budgetBits = 20
	budgetMax  = 1<<budgetBits - 1
)

// First counts a call that is not extra.
func (b *Budget) First() {
	if b != nil {
		b.count(b.second(), 1)
	}
}

// Allow reports whether one more extra call may be made, and counts it.
func (b *Budget) Allow() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.second()
	var first, extra uint64
	for i := range b.seconds {
		s := b.seconds[i].Load()
		if age := (now - s>>(2*budgetBits)) & (1<<24 - 1); age < budgetSeconds {
			first += s & budgetMax
			extra += s >> budgetBits & budgetMax
		}
	}
	// As many as there may be, not one more: the share is rounded down.
	if float64(extra+1) > max(float64(b.floor), b.ratio*float64(first)) {
		return false
	}
	b.count(now, 1<<budgetBits)
	return true
}

func (b *Budget) second() uint64 {
	return uint64(b.clock.Now().Unix()) & (1<<24 - 1) //nolint:gosec // its low bits
}

// count adds to the counts of a second, which are no more than 2^20 each.
func (b *Budget) count(second, one uint64) {
	place := &b.seconds[second%budgetSeconds]
	for {
		old := place.Load()
		next := old
		// A goroutine that was held up must not undo a later second.
		if age := (second - old>>(2*budgetBits)) & (1<<24 - 1); age != 0 && age < 1<<23 {
			next = second << (2 * budgetBits)
		}
		if (next/one)&budgetMax == budgetMax {
			return
		}
		if place.CompareAndSwap(old, next+one) {
			return
		}
	}
}
