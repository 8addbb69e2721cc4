// Package memory is the store of limits for one instance: `ai.stores.memory`.
package memory

import (
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
