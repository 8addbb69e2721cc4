package limits

import (
	"hash/maphash"
	"strings"
	"sync"
)

// Margins knows who holds more of a counter than is needed. A call far from its
// limits may reserve an upper bound of its prompt instead of counting it. That
// must never cost another call its place: before a limit refuses anybody, and as
// soon as it is seen to be near, those who hold a margin give it back.
//
// It is of one process, as the holders are, and outlives configurations, as the
// counters do. It is safe for concurrent use.
type Margins struct {
	seed   maphash.Seed
	shards [marginShards]marginShard
}

const (
	marginShards = 64

	// maxMargins is how many counters a shard remembers beside those that
	// somebody holds a margin of. One that is forgotten counts as far from its
	// limit, until it is asked the next time.
	maxMargins = 1024
)

type marginShard struct {
	mu       sync.Mutex
	counters map[string]*margin
	_        [48]byte // a shard fills cache lines of its own
}

// margin is what is known of one counter.
type margin struct {
	near    bool
	holders map[Holder]struct{}

	// returned counts the margins that have gone.
	returned uint64
}

// Holder holds a margin.
type Holder interface {
	// Correct counts what is needed, gives the rest back and drops the margin; it
	// returns when that is done, whoever does it.
	Correct()
}

// NewMargins returns Margins that know of nobody.
func NewMargins() *Margins {
	m := &Margins{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].counters = map[string]*margin{}
	}
	return m
}

// share is the part of a limit that a margin may be. Half of the limit must be
// left besides, see [Decision.Near].
const share = 64

// Near reports whether what is left of a limit is so little that prompts are
// counted.
func (d *Decision) Near() bool { return d.Degraded || d.Over || d.Remaining < d.Limit/2 }

// Bears reports whether a reservation may hold as much as margin more of the rule
// than it needs, while there is much left. What turns calls away to wait, to
// other models or to an early end, and what only counts, goes by exact counts.
func (r *Rule) Bears(margin int64) bool {
	return margin <= r.amount()/share && r.Queue == 0 && r.Downgrade == "" && r.OnExceed == Finish && !r.Shadow
}

// Hold notes that h is about to hold a margin of the counter, unless its limit
// is near.
func (m *Margins) Hold(key string, h Holder) bool {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[key]
	switch {
	case c == nil:
		c = s.add(key)
	case c.near:
		return false
	}
	if c.holders == nil {
		c.holders = map[Holder]struct{}{}
	}
	c.holders[h] = struct{}{}
	return true
}

// Drop notes that h has a margin of the counter no longer.
func (m *Margins) Drop(key string, h Holder) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counters[key]; c != nil {
		delete(c.holders, h)
		c.returned++
	}
}

// Returned counts the margins of the counter that have gone. Who was refused
// while that changed asks again: the room may have come back meanwhile.
func (m *Margins) Returned(key string) uint64 {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counters[key]; c != nil {
		return c.returned
	}
	return 0
}

// Note takes over what a store has said of the counter. Where its limit has come
// near since, it returns those that hold margins of it, to be corrected.
func (m *Margins) Note(key string, near bool) []Holder {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[key]
	if c == nil {
		if near {
			s.add(key).near = true
		}
		return nil
	}
	was := c.near
	if c.near = near; near && !was {
		return c.list()
	}
	return nil
}

// Correct has all margins of the counter given back, and reports whether there
// were any.
func (m *Margins) Correct(key string) bool {
	s := m.shard(key)
	s.mu.Lock()
	var holders []Holder
	if c := s.counters[key]; c != nil {
		holders = c.list()
	}
	s.mu.Unlock()
	for _, h := range holders {
		h.Correct()
	}
	return len(holders) > 0
}

func (m *Margins) shard(key string) *marginShard {
	return &m.shards[maphash.String(m.seed, key)%marginShards]
}

// add makes room for a counter, and adds it.
func (s *marginShard) add(key string) *margin {
	if len(s.counters) >= maxMargins {
		for k, c := range s.counters {
			if len(c.holders) == 0 {
				delete(s.counters, k)
				break
			}
		}
	}
	c := &margin{}
	s.counters[strings.Clone(key)] = c
	return c
}

func (c *margin) list() []Holder {
	if len(c.holders) == 0 {
		return nil
	}
	list := make([]Holder, 0, len(c.holders))
	for h := range c.holders {
		list = append(list, h)
	}
	return list
}
