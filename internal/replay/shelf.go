package replay

import (
	"sync"
	"sync/atomic"
	"time"
)

// Shelf holds the tapes that clients can come back to, and bounds their memory.
// Safe for concurrent use.
type Shelf struct {
	limit int64
	used  atomic.Int64

	mu    sync.Mutex
	tapes map[string]*Tape
}

// NewShelf returns a shelf for so many bytes.
func NewShelf(limit int64) *Shelf {
	return &Shelf{limit: limit, tapes: make(map[string]*Tape)}
}

// processMemory bounds the tapes of a process, in bytes.
const processMemory = 256 << 20

// Process holds the tapes of this process. It is package state on purpose: a
// stream outlives the configuration that it began under, and so does the right
// to come back to it.
var Process = NewShelf(processMemory)

// Options are what a tape is like.
type Options struct {
	// Limit is how many bytes it may hold. One event is held whatever its size.
	Limit int64

	// Keep is how long it waits for a client.
	Keep time.Duration

	// Abandon is called once when Keep is over, or nobody can come back any more,
	// while the stream still runs.
	Abandon func()
}

// New returns a tape of a stream that begins, and the client that its producer
// writes to; nil when there is no memory for it. evict is called when another
// takes that client's place. The tape must be ended.
func (s *Shelf) New(o Options, evict func()) (*Tape, *Client) {
	if s.used.Load()+cost(smallest) > s.limit {
		return nil, nil
	}
	t := &Tape{shelf: s, options: o, room: make(chan struct{}, 1)}
	t.client = &Client{tape: t, direct: true, evict: evict}
	return t, t.client
}

// Put makes t the tape of key. One that had the key before cannot be come back
// to any more.
func (s *Shelf) Put(key string, t *Tape) {
	s.mu.Lock()
	old := s.tapes[key]
	s.tapes[key] = t
	t.key = key
	s.mu.Unlock()
	if old != nil && old != t {
		old.withdraw()
	}
}

// Find returns the tape of key, nil if there is none.
func (s *Shelf) Find(key string) *Tape {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tapes[key]
}

// Used is the memory of all tapes in bytes.
func (s *Shelf) Used() int64 { return s.used.Load() }

func (s *Shelf) remove(t *Tape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tapes[t.key] == t {
		delete(s.tapes, t.key)
	}
}

// take reserves n bytes, if there are as many.
func (s *Shelf) take(n int64) bool {
	for {
		used := s.used.Load()
		if used+n > s.limit {
			return false
		}
		if s.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// give gives n bytes back; a negative n takes them whatever the limit.
func (s *Shelf) give(n int64) { s.used.Add(-n) }
