// Package memory is the store of limits for one instance: `ai.stores.memory`.
package memory

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

// shards is how many locks there are. A decision locks those of its claims
// in ascending order, so that two decisions cannot wait for each other.
const shards = 256

// DefaultCounters is how many counters a store keeps: at 400 bytes
// each, no more than 400 MB.
const DefaultCounters = 1 << 20

// sweep is how many counters are looked at for idle ones whenever one is
// added: more than one, so that idle counters go faster than new ones come.
const sweep = 8

// Store keeps counters in memory. It has no goroutines: idle counters are
// forgotten as new ones come.
type Store struct {
	clock func() time.Time
	base  time.Time
	zero  int64

	seed   maphash.Seed
	leases atomic.Uint64
	quota  int
	shards [shards]shard
}

type shard struct {
	mu       sync.Mutex
	counters map[string]*limits.Counter
	// A shard fills cache lines of its own, or neighbours' locks would contend.
	_ [48]byte
}

// New returns an empty store. Times come from clock, whose monotonic reading
// is used where it has one; counters is the most that are kept, 0 for
// DefaultCounters.
func New(clock func() time.Time, counters int) *Store {
	if counters <= 0 {
		counters = DefaultCounters
	}
	now := clock()
	s := &Store{clock: clock, base: now, zero: now.UnixMicro(), seed: maphash.MakeSeed(), quota: max(1, counters/shards)}
	for i := range s.shards {
		s.shards[i].counters = map[string]*limits.Counter{}
	}
	return s
}

func (s *Store) now() limits.Instant {
	now := s.clock()
	return limits.Instant{Micros: s.zero + now.Sub(s.base).Microseconds(), Wall: now}
}

// decision is the counters of a reservation while their shards are locked.
type decision struct {
	now      limits.Instant
	counters [limits.MaxClaims]*limits.Counter
	order    [limits.MaxClaims]uint8
	locked   int
}

// lock finds the counters of claims, brought to the present, with their
// shards locked.
func (s *Store) lock(d *decision, claims []limits.Claim) error {
	var of [limits.MaxClaims]uint8
	for i := range claims {
		at := uint8(maphash.String(s.seed, claims[i].Key))
		of[i] = at
		// Insertion into a short sorted set.
		j := d.locked
		for j > 0 && d.order[j-1] > at {
			j--
		}
		if j > 0 && d.order[j-1] == at {
			continue
		}
		copy(d.order[j+1:d.locked+1], d.order[j:d.locked])
		d.order[j] = at
		d.locked++
	}
	for _, at := range d.order[:d.locked] {
		s.shards[at].mu.Lock()
	}
	d.now = s.now()
	for i := range claims {
		sh := &s.shards[of[i]]
		c := sh.counters[claims[i].Key]
		if c == nil {
			var err error
			if c, err = sh.add(claims[i].Key, s.quota, d, i); err != nil {
				s.unlock(d)
				return fmt.Errorf("counting %s: %w", claims[i].Rule.ID(), err)
			}
		}
		c.Advance(claims[i].Rule, d.now)
		d.counters[i] = c
	}
	return nil
}

func (s *Store) unlock(d *decision) {
	for _, at := range d.order[:d.locked] {
		s.shards[at].mu.Unlock()
	}
	d.locked = 0
}

// add makes room for a counter, by forgetting idle ones, and adds it. The
// first n counters of the decision may be idle so far and are kept.
func (sh *shard) add(key string, quota int, d *decision, n int) (*limits.Counter, error) {
	look := sweep
	if len(sh.counters) >= quota {
		look = len(sh.counters)
	}
	for k, c := range sh.counters {
		if look--; look < 0 {
			break
		}
		if c.Idle(d.now) && !slices.Contains(d.counters[:n], c) {
			delete(sh.counters, k)
			// At the quota one place is enough.
			if len(sh.counters) < quota {
				look = min(look, sweep)
			}
		}
	}
	if len(sh.counters) >= quota {
		return nil, limits.ErrFull
	}
	c := &limits.Counter{}
	sh.counters[strings.Clone(key)] = c
	return c, nil
}

// Reserve implements limits.Store.
func (s *Store) Reserve(_ context.Context, r *limits.Reservation) (bool, error) {
	if err := r.Begin(); err != nil {
		return false, err
	}
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return false, err
	}
	defer s.unlock(&d)
	if s.decide(&d, r); r.Refuse() {
		return false, nil
	}
	for i := range r.Claims {
		claim, hold, c := &r.Claims[i], &r.Holds[i], d.counters[i]
		if hold.Amount = claim.Amount; claim.Rule.Unit == limits.Concurrency {
			hold.Lease = s.leases.Add(1)
			c.Take(hold.Lease, claim.Amount, d.now.Micros+limits.LeaseTime)
		} else {
			hold.Slot = c.Add(claim.Amount)
		}
		wait := r.Decisions[i].Wait
		r.Decide(i, c.Used(), c.Reset(claim.Rule, d.now), wait)
	}
	r.Held = true
	return true, nil
}

// decide notes where every claim stands.
func (s *Store) decide(d *decision, r *limits.Reservation) {
	for i := range r.Claims {
		claim, c := &r.Claims[i], d.counters[i]
		limit := min(max(claim.Rule.Amount, 0), limits.MaxAmount)
		var wait time.Duration
		if !c.Fits(claim.Amount, limit) {
			wait = c.Wait(claim.Rule, d.now, claim.Amount, limit)
		}
		r.Decide(i, c.Used(), c.Reset(claim.Rule, d.now), wait)
	}
}

// Settle implements limits.Store.
func (s *Store) Settle(_ context.Context, r *limits.Reservation, actual []int64) error {
	if !r.Held {
		return nil
	}
	r.Held = false
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	r.Prepare()
	for i := range r.Claims {
		rule, hold, c := r.Claims[i].Rule, &r.Holds[i], d.counters[i]
		switch {
		case rule.Unit == limits.Concurrency:
			c.Release(hold.Lease)
		case i < len(actual):
			c.Settle(hold.Slot, hold.Amount, actual[i])
		}
		r.Decide(i, c.Used(), c.Reset(rule, d.now), 0)
	}
	return nil
}

// Amend implements limits.Store.
func (s *Store) Amend(_ context.Context, r *limits.Reservation, amounts []int64) error {
	if !r.Held {
		return nil
	}
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	for i := range min(len(amounts), len(r.Claims)) {
		if hold := &r.Holds[i]; r.Lowers(i, amounts[i]) {
			d.counters[i].Settle(hold.Slot, hold.Amount, amounts[i])
			hold.Amount = amounts[i]
		}
	}
	r.Lower(amounts)
	return nil
}

// Renew implements limits.Store.
func (s *Store) Renew(_ context.Context, r *limits.Reservation) error {
	if !r.Held {
		return nil
	}
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	lost := false
	for i := range r.Claims {
		if claim := &r.Claims[i]; claim.Rule.Unit == limits.Concurrency {
			expiry := d.now.Micros + limits.LeaseTime
			lost = !d.counters[i].Renew(r.Holds[i].Lease, r.Holds[i].Amount, expiry, claim.Rule.Amount) || lost
		}
	}
	if lost {
		return limits.ErrLeaseLost
	}
	return nil
}

// Peek implements limits.Store.
func (s *Store) Peek(_ context.Context, r *limits.Reservation) error {
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	r.Prepare()
	s.decide(&d, r)
	r.Refuse()
	return nil
}

// Charge implements limits.Store.
func (s *Store) Charge(_ context.Context, claims []limits.Claim) error {
	return s.each(claims, func(c *limits.Counter, amount int64) { c.Add(amount) })
}

// Restore implements limits.Store.
func (s *Store) Restore(_ context.Context, claims []limits.Claim) error {
	return s.each(claims, func(c *limits.Counter, amount int64) {
		if c.Used() < amount {
			c.Level(amount)
		}
	})
}

// each changes the counters of claims, one by one; leases are left out.
func (s *Store) each(claims []limits.Claim, change func(c *limits.Counter, amount int64)) error {
	for i := range claims {
		if claims[i].Rule.Unit == limits.Concurrency {
			continue
		}
		var d decision
		if err := s.lock(&d, claims[i:i+1]); err != nil {
			return err
		}
		change(d.counters[0], min(max(claims[i].Amount, 0), limits.MaxAmount))
		s.unlock(&d)
	}
	return nil
}

// Note implements limits.LocalStore.
func (s *Store) Note(r *limits.Reservation) {
	var d decision
	if s.lock(&d, r.Claims) != nil {
		return
	}
	defer s.unlock(&d)
	for i := range r.Claims {
		if c := d.counters[i]; r.Claims[i].Rule.Unit != limits.Concurrency {
			c.Tell(r.Claims[i].Rule, d.now, r.Decisions[i].Used, r.Decisions[i].Generation)
		}
	}
}

// Recall implements limits.LocalStore.
func (s *Store) Recall(r *limits.Reservation) {
	var d decision
	if s.lock(&d, r.Claims) != nil {
		return
	}
	defer s.unlock(&d)
	for i := range r.Claims {
		r.Holds[i].Known, r.Holds[i].Generation = d.counters[i].Told(r.Claims[i].Rule, d.now)
	}
}

// Counters is how many counters the store keeps.
func (s *Store) Counters() int {
	n := 0
	for i := range s.shards {
		s.shards[i].mu.Lock()
		n += len(s.shards[i].counters)
		s.shards[i].mu.Unlock()
	}
	return n
}

// Close implements limits.Store; there is nothing to close.
func (*Store) Close() error { return nil }

// Interface guard.
var _ limits.LocalStore = (*Store)(nil)
