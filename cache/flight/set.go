package flight

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/cache"
)

// Set holds the flights under way. It is safe for concurrent use.
type Set struct {
	limit  int64
	budget int64
	now    func() time.Time

	used   atomic.Int64
	shards [64]shard
}

type shard struct {
	mu      sync.Mutex
	flights map[cache.Key][]*Flight
}

// NewSet returns an empty set. A tape has limit bytes at most, and all together
// budget; a longer answer is passed on, but nobody can join it any more.
func NewSet(limit, budget int64, now func() time.Time) *Set {
	s := &Set{limit: limit, budget: budget, now: now}
	for i := range s.shards {
		s.shards[i].flights = make(map[cache.Key][]*Flight)
	}
	return s
}

// Enter joins a flight that serves want, or begins one, which the caller leads:
// follow is nil then. since is when the request was looked up: what was asked for
// before a purge is not for who asks after it. cancel ends the leader's call. A client that wants no
// stream can follow any flight of its key, see [Reader.Whole].
func (s *Set) Enter(key cache.Key, since cache.Stamp, want Want, cancel func()) (f *Flight, follow *Reader) {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, f := range sh.flights[key] {
		if f.since < since || f.want != want && want.Stream {
			continue
		}
		if r := f.join(); r != nil {
			return f, r
		}
	}
	f = s.alone(key, want, cancel)
	f.since = since
	sh.flights[key] = append(sh.flights[key], f)
	return f, nil
}

// Alone begins a flight that nobody can join: a tape for the caller itself.
func (s *Set) Alone(key cache.Key, want Want) *Flight {
	f := s.alone(key, want, nil)
	f.closed = true
	return f
}

func (s *Set) alone(key cache.Key, want Want, cancel func()) *Flight {
	return &Flight{set: s, key: key, want: want, cancel: cancel}
}

// forget takes out a flight that is closed.
func (s *Set) forget(f *Flight) {
	sh := s.shard(f.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	left := slices.DeleteFunc(sh.flights[f.key], func(other *Flight) bool { return other == f })
	if len(left) == 0 {
		delete(sh.flights, f.key)
		return
	}
	sh.flights[f.key] = left
}

func (s *Set) shard(key cache.Key) *shard { return &s.shards[key[0]%uint8(len(s.shards))] }

// take takes n bytes of the budget if they are there.
func (s *Set) take(n int64) bool {
	if s.used.Add(n) > s.budget {
		s.used.Add(-n)
		return false
	}
	return true
}

func (s *Set) give(n int64) { s.used.Add(-n) }

// Used is how many bytes all tapes have.
func (s *Set) Used() int64 { return s.used.Load() }
