package limits

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Leased is a shared store whose room is lent to its instances in chunks, so
// that most decisions need no round trip.
//
// # The algorithm
//
// A chunk is room under one counter that the store has counted as used and an
// instance decides about by itself. It asks the store when the chunk is used up
// or nearly so (then in the background), and three times per lease at least,
// to report. One question is one round trip for all the counters of a request;
// requests that find one on its way for the same counter wait for it, and the
// next asks for all of them at once.
//
// A report moves what was used from the chunk into the slots of its use, by the
// store's time, and what was refunded back into the chunk. So the counter holds
// at any moment all that was used and all that may be: it is the counter of
// strict mode, under the same key, and instances of either mode can share it.
// What exceeds its reservation is taken from the chunk, and is a debt beyond it.
//
// Of what a counter has left, an instance is lent at most percent/instances:
// chunks shrink with the room, until each request brings its own amount. How
// much of that it takes is as much as it used of late. Who stops using a chunk
// gives it back with the report after the next.
//
// A loan has a lease. The instance uses the chunk for the first half of it, and
// reports in the second: an instance that was stopped and goes on finds that its
// chunk has run out, whatever its clocks did meanwhile. Nor does a chunk outlive
// its calendar period. When the lease is over, the store takes back what was not
// reported.
//
// What is promised, where L is percent/instances of the limit (or what the requests of
// one round trip brought, if that is more), M the number of instances, and W
// the window:
//
//   - While every instance reports within its leases, nothing is overrun: X = 0,
//     in every window of length W.
//   - An instance that crashes, or cannot reach the store for a whole lease, has
//     used at most L that nobody knows of: X ≤ L for each of them, X ≤ M·L if all
//     do so within one window. One that comes back reports what it used then.
//   - A store that has lost its last changes is told, by every instance with its
//     next report, what its counters held and what of that its chunk is, used and
//     unused. When all have told, X = 0 again in calendar periods; in a sliding
//     window a stale replica may have loans in older slots than they were used
//     in, X ≤ L. Until then, X is what those knew that have not told yet.
//   - Room may be idle: at most percent of the limit, and what was refunded of
//     late, in all instances together, each for at most a lease. A request may be
//     refused for as long although others hold room.
//   - What is said to be left counts the others' chunks as used.
//
// What it costs: a round trip per counter and lease, when it is used at all;
// near a limit as many as in strict mode. Limits on concurrency, and sliding
// windows whose quarter is shorter than 200 ms, are decided strictly, one round
// trip for a request's.
//
// A lease is as long as configured, and at most W/4, so that no slot leaves the
// window before its use is reported.
type Leased struct {
	lender Lender
	terms  Terms
	clock  func() time.Time

	seed   maphash.Seed
	shards [leasedShards]chunkShard
	seq    atomic.Int64

	// generation is the life of the store that answered last.
	generation atomic.Int64

	held atomic.Int64

	spawn func(after time.Duration, f func())

	// local is told what reports bring, as Failover tells it of decisions; nil
	// if nobody wants to know.
	local atomic.Pointer[LocalStore]

	// tick is how often chunks are looked through, while there are any.
	tick  atomic.Int64
	armed atomic.Bool

	mu     sync.Mutex
	closed time.Time
	ended  bool
	ending atomic.Bool
}

// Terms are what chunks are lent on.
type Terms struct {
	// Time is how long the store keeps room for an instance that does not come
	// back; it is used for the first half.
	Time time.Duration

	// Percent is how much of what a counter has left all instances together
	// may hold.
	Percent int64
}

// DefaultTerms are the terms where none are set.
var DefaultTerms = Terms{Time: 10 * time.Second, Percent: 25}

// ShortestLease is what a lease must have: round trips must be short against it.
const ShortestLease = 200 * time.Millisecond

const leasedShards = 64

type chunkShard struct {
	mu     sync.RWMutex
	chunks map[string]*chunk
	_      [32]byte
}

// NewLeased returns lender's chunks. clock is this instance's; spawn runs
// something in the background after a time, on a timer if nil.
func NewLeased(lender Lender, terms Terms, clock func() time.Time, spawn func(after time.Duration, f func())) *Leased {
	if spawn == nil {
		spawn = func(after time.Duration, f func()) { time.AfterFunc(after, f) }
	}
	l := &Leased{lender: lender, terms: terms, clock: clock, seed: maphash.MakeSeed(), spawn: spawn}
	for i := range l.shards {
		l.shards[i].chunks = map[string]*chunk{}
	}
	return l
}

// chunk finds a claim's chunk, or adds it, and locks it.
func (l *Leased) chunk(claim *Claim) *chunk {
	sh := &l.shards[maphash.String(l.seed, claim.Key)%leasedShards]
	for {
		sh.mu.RLock()
		c := sh.chunks[claim.Key]
		sh.mu.RUnlock()
		if c == nil {
			sh.mu.Lock()
			if c = sh.chunks[claim.Key]; c == nil {
				key := strings.Clone(claim.Key)
				c = &chunk{key: key}
				sh.chunks[key] = c
			}
			sh.mu.Unlock()
		}
		c.mu.Lock()
		if !c.gone {
			c.rule = claim.Rule
			return c
		}
		c.mu.Unlock()
	}
}

// Where a claim is held, as Hold.Lease says.
const (
	notHeld uint64 = iota
	inChunk
	inStore
)

// Reserve implements Store.
func (l *Leased) Reserve(ctx context.Context, r *Reservation) (bool, error) {
	if err := r.Begin(); err != nil {
		return false, err
	}
	r.ID = ""
	now := l.clock()
	missing, strict := false, false
	for i := range r.Claims {
		claim, hold := &r.Claims[i], &r.Holds[i]
		hold.Amount, hold.Lease = claim.Amount, notHeld
		if l.lendingTime(claim.Rule) == 0 {
			hold.Lease, strict = inStore, true
			continue
		}
		c := l.chunk(claim)
		slot, ok := c.take(claim.Amount, now)
		if ok {
			hold.Slot, hold.Lease = slot, inChunk
			r.Decisions[i] = c.decision(claim.Rule.amount(), now)
		}
		if ok && c.room < c.low && !c.tight && c.flight == nil && !l.ending.Load() {
			l.refill(c, now)
		}
		missing = missing || !ok
		c.mu.Unlock()
	}
	if missing {
		if ok, err := l.fetch(ctx, r); !ok || err != nil {
			l.undo(r)
			return false, err
		}
	}
	if strict {
		if ok, err := l.reserveStrictly(ctx, r); !ok || err != nil {
			l.undo(r)
			return false, err
		}
	}
	r.Refuse() // as stores do, for shadows
	r.Held = true
	l.held.Add(1)
	return true, nil
}

// undo gives back what r has taken from chunks. Claims that were not decided,
// since another was refused, are told as they were known before.
func (l *Leased) undo(r *Reservation) {
	for i := range r.Claims {
		if d := &r.Decisions[i]; d.Generation == 0 {
			d.Limit, d.Used, d.Generation = r.Claims[i].Rule.amount(), r.Holds[i].Known, r.Holds[i].Generation
			d.Remaining = max(0, d.Limit-d.Used)
		}
		if hold := &r.Holds[i]; hold.Lease == inChunk {
			c := l.chunk(&r.Claims[i])
			c.undo(hold.Slot, hold.Amount)
			c.mu.Unlock()
			hold.Lease = notHeld
		}
	}
	l.arm()
}

// Renew implements Store.
func (l *Leased) Renew(ctx context.Context, r *Reservation) error {
	if !r.Held || r.strict == nil {
		return nil
	}
	return l.lender.Renew(ctx, r.strict)
}

// Peek implements Store: it asks the store, since nothing is taken here.
func (l *Leased) Peek(ctx context.Context, r *Reservation) error {
	if err := l.lender.Peek(ctx, r); err != nil {
		return fmt.Errorf("peeking past chunks: %w", err)
	}
	for i := range r.Claims {
		claim, d := &r.Claims[i], &r.Decisions[i]
		if l.lendingTime(claim.Rule) == 0 {
			continue
		}
		c := l.chunk(claim)
		// A store that has begun again may not know of the chunk.
		if c.at(l.clock()) < c.until && c.generation == d.Generation {
			d.Used = clamp(d.Used - c.room)
			d.Remaining = max(0, d.Limit-d.Used)
			if d.Over = d.Used > d.Limit-claim.Amount; !d.Over {
				d.Wait = 0
			}
		}
		c.mu.Unlock()
	}
	r.Refuse()
	return nil
}

// Charge implements Store.
func (l *Leased) Charge(ctx context.Context, claims []Claim) error {
	return l.lender.Charge(ctx, claims)
}

// Restore implements Store.
func (l *Leased) Restore(ctx context.Context, histories []History) error {
	return l.lender.Restore(ctx, histories)
}

// SelfTest implements Tester, for a lender that is one.
func (l *Leased) SelfTest(ctx context.Context) ([]string, error) {
	if t, ok := l.lender.(Tester); ok {
		return t.SelfTest(ctx)
	}
	return nil, nil
}

// Instances is how many gateways share the store.
func (l *Leased) Instances() int { return l.lender.Instances() }

// Ratio is L as a share of a limit: what this instance may borrow ahead.
func (l *Leased) Ratio() float64 {
	return float64(l.terms.Percent) / 100 / float64(max(1, l.lender.Instances()))
}

// Interface guards.
var (
	_ Store  = (*Leased)(nil)
	_ Tester = (*Leased)(nil)
)
