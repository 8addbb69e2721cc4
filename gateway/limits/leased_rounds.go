package limits

import (
	"context"
	"time"
)

const (
	// farewell is how long a closed store goes on trying to report to a store
	// that is away, at again's pace.
	farewell = time.Minute
	again    = 250 * time.Millisecond

	// closing bounds the last report, for which Close waits.
	closing = time.Second
)

// arm sees to it that chunks are looked through.
func (l *Leased) arm() { l.armIn(l.every()) }

func (l *Leased) armIn(after time.Duration) {
	if !l.armed.Load() && l.armed.CompareAndSwap(false, true) {
		l.spawn(after, l.round)
	}
}

// every is how often chunks are looked through: often enough for the shortest
// lease in use.
func (l *Leased) every() time.Duration {
	switch t := l.tick.Load(); {
	case l.ending.Load():
		return 0
	case t > 0:
		return time.Duration(t) * time.Microsecond
	default:
		return ShortestLease / 16
	}
}

func (l *Leased) round() {
	more := l.Report(context.Background())
	l.armed.Store(false)
	switch {
	case l.finish(more):
	case l.ending.Load() && more:
		l.armIn(again)
	case more:
		l.arm()
	}
}

// Close implements Store: what chunks hold is reported and given back before it
// returns, if the store can be asked. The store is closed when the last
// reservation is settled.
func (l *Leased) Close() error {
	l.mu.Lock()
	if l.closed.IsZero() {
		l.closed = l.clock()
	}
	l.mu.Unlock()
	l.ending.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	// A question under way is waited for, a report whose answer was lost is sent
	// again as it was, the one after it gives the rest back, and the last round
	// finds nothing left.
	more := true
	for i := 0; more && i < 4; i++ {
		more = l.Report(ctx)
	}
	if !l.finish(more) {
		l.armIn(again)
	}
	return nil
}

// finish closes the store below a closed one that holds nothing more, and
// reports whether that is done.
func (l *Leased) finish(more bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.closed.IsZero() {
		return l.ended
	}
	if (l.held.Load() > 0 || more) && l.clock().Sub(l.closed) < farewell {
		return false
	}
	l.ended = true
	_ = l.lender.Close()
	return true
}
