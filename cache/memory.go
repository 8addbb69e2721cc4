package cache

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// DefaultSize is how many bytes of answers a process keeps unless told.
const DefaultSize = 256 << 20

// Memory keeps answers in the process, the ones that are asked for most, within
// a number of bytes. It has no lock that all requests take.
//
// Behind it is ristretto, of which five things have to be known. It does not
// show what was just written; here writers wait for that, since an answer is
// written once and its bytes are held by its writer anyway (so nothing that
// waits needs a bound of its own either). It refuses what it has seen less often
// than what would have to go, which is no error: such an answer is not kept
// here. It only makes room for what is new, not when something grows or the
// limit falls. Its lists of what expires at a time keep the memory of what has
// gone before that, so there must be few of them. And after Close it must not be
// touched.
type Memory struct {
	kept   *ristretto.Cache[uint64, piece]
	shards [shards]shard
	ids    atomic.Uint64

	// began is what times are counted from.
	began time.Time

	entries, bytes, evicted, rejected atomic.Int64
}

const shards = 64

// shard guards the entries whose keys begin alike.
type shard struct {
	// write makes one writer wait for the other.
	write sync.Mutex
	// open is held to use ristretto, and taken alone to close it.
	open   sync.RWMutex
	closed bool

	hits, misses atomic.Int64
	_            [64]byte
}

// usual is how large an answer is, for the sketch of how often each is asked
// for: ten counters for each that fits.
const usual = 4 << 10

// NewMemory keeps up to size bytes. What its sketch of frequencies takes, about a
// hundredth of that, comes on top.
func NewMemory(size int64) (*Memory, error) {
	if size <= 0 {
		return nil, errors.New("a cache needs room")
	}
	m := &Memory{began: time.Now()}
	kept, err := ristretto.NewCache(&ristretto.Config[uint64, piece]{
		NumCounters: min(max(10*size/usual, 1<<12), 1<<24),
		MaxCost:     size,
		BufferItems: 64,
		KeyToHash:   func(key uint64) (uint64, uint64) { return key, 0 },
		// The costs are whole already.
		IgnoreInternalCost: true,
		OnReject: func(item *ristretto.Item[piece]) {
			item.Value.reject()
			m.rejected.Add(1)
		},
		OnEvict: func(item *ristretto.Item[piece]) {
			// What has expired comes with the time.
			if item.Expiration.IsZero() {
				m.evicted.Add(1)
			}
		},
		OnExit: func(p piece) {
			if p != nil {
				m.bytes.Add(-p.weight())
				m.entries.Add(-1)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("making a cache: %w", err)
	}
	m.kept = kept
	return m, nil
}

func (m *Memory) shard(short uint64) *shard { return &m.shards[short>>58] }

// at is a time as pieces have it. Who has a monotonic clock counts by that.
func (m *Memory) at(t time.Time) int64 { return int64(t.Sub(m.began)) }

// get finds what may be the piece; the caller compares.
func (m *Memory) get(short uint64) piece {
	s := m.shard(short)
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return nil
	}
	p, _ := m.kept.Get(short)
	return p
}

// put keeps a piece for a time at most, and reports whether it does. When it
// returns true, get finds the piece until something else needs its room.
func (m *Memory) put(short uint64, p piece, keep time.Duration) bool {
	if keep <= 0 {
		return false
	}
	s := m.shard(short)
	s.write.Lock()
	defer s.write.Unlock()
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return false
	}
	if p.weight() > m.kept.MaxCost() {
		m.kept.Del(short)
		m.rejected.Add(1)
		return false
	}
	if !m.set(short, p, keep) {
		return false
	}
	if m.kept.RemainingCost() < 0 && !p.rejected() {
		// It has taken a smaller one's place. Only what is new makes room.
		m.kept.Del(short)
		return m.set(short, p, keep)
	}
	return !p.rejected()
}

func (m *Memory) set(short uint64, p piece, keep time.Duration) bool {
	cost := p.weight()
	m.bytes.Add(cost)
	m.entries.Add(1)
	if !m.kept.SetWithTTL(short, p, cost, roundUp(time.Now(), keep)) {
		m.bytes.Add(-cost)
		m.entries.Add(-1)
		return false
	}
	m.kept.Wait()
	return !p.rejected()
}

const (
	// bucket is what ristretto lets expire at once, of the system's time.
	bucket = 5 * time.Second

	// lists is how many lists there are of what is kept for one time, or twice as
	// many.
	lists = 16
)

// roundUp is keep or a little more, so that what is put within a part of that time
// is on one of ristretto's lists, whose memory is then bounded by what is kept at a
// time. Nobody is served an answer for longer: that is decided by its age.
func roundUp(now time.Time, keep time.Duration) time.Duration {
	keep = min(keep, math.MaxInt64/2)
	step := bucket
	for step*2 <= keep/lists {
		step *= 2
	}
	if step == bucket {
		return keep
	}
	end := now.Add(keep)
	if over := end.Sub(end.Truncate(step)); over > 0 {
		keep += step - over
	}
	return keep
}

// remove forgets a piece unless another has its place by now.
func (m *Memory) remove(short uint64, p piece) {
	s := m.shard(short)
	s.write.Lock()
	defer s.write.Unlock()
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return
	}
	if now, _ := m.kept.Get(short); now.same(p) {
		m.kept.Del(short)
		m.kept.Wait()
	}
}

// Resize changes how many bytes are kept. If they become fewer, what was written
// first goes first.
func (m *Memory) Resize(size int64) {
	s := &m.shards[0]
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed || size <= 0 {
		return
	}
	m.kept.UpdateMaxCost(size)
	if m.bytes.Load() <= size {
		return
	}
	var all []piece
	m.kept.IterValues(func(p piece) bool {
		all = append(all, p)
		return false
	})
	slices.SortFunc(all, func(a, b piece) int { return cmp.Compare(a[atID], b[atID]) })
	for _, p := range all {
		if m.bytes.Load() <= size {
			break
		}
		m.kept.Del(p.place())
		m.evicted.Add(1)
	}
	m.kept.Wait()
}

// Close ends it: nothing is found and kept any more.
func (m *Memory) Close() {
	for i := range m.shards {
		m.shards[i].open.Lock()
		defer m.shards[i].open.Unlock()
	}
	if !m.shards[0].closed {
		m.kept.Close()
	}
	for i := range m.shards {
		m.shards[i].closed = true
	}
}

// MemoryStats are counts of a Memory.
type MemoryStats struct {
	// Entries and Bytes are what is kept now, Size how many bytes may be.
	Entries, Bytes, Size int64
	// Hits and Misses count look-ups, Evicted what had to go for something else,
	// Rejected what was not worth that.
	Hits, Misses, Evicted, Rejected int64
}

// Stats counts.
func (m *Memory) Stats() MemoryStats {
	stats := MemoryStats{
		Entries: m.entries.Load(), Bytes: m.bytes.Load(), Size: m.kept.MaxCost(),
		Evicted: m.evicted.Load(), Rejected: m.rejected.Load(),
	}
	for i := range m.shards {
		stats.Hits += m.shards[i].hits.Load()
		stats.Misses += m.shards[i].misses.Load()
	}
	return stats
}
