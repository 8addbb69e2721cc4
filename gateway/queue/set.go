package queue

import (
	"sync"
	"sync/atomic"
)

// Set is the queues of a process, by what is waited for. Queues come and go
// with those who wait. It is safe for concurrent use.
type Set struct {
	clock   Clock
	waiting atomic.Int64
	queues  sync.Map // string → *Queue
}

// NewSet returns a set in which nobody waits.
func NewSet(clock Clock) *Set { return &Set{clock: clock} }

// Waiting is how many wait in all queues.
func (s *Set) Waiting() int64 { return s.waiting.Load() }

// Busy reports whether somebody waits for key, behind whom others have to go.
func (s *Set) Busy(key string) bool {
	if s.waiting.Load() == 0 {
		return false
	}
	_, ok := s.queues.Load(key)
	return ok
}

// Wake says that room for key may have come free.
func (s *Set) Wake(key string) {
	if s.waiting.Load() == 0 {
		return
	}
	if q, ok := s.queues.Load(key); ok {
		q.(*Queue).wake()
	}
}

// Join takes a place in the queue for key. position is how many are served until
// then at most, itself included. The error is ErrFull.
func (s *Set) Join(key string, r Request) (t *Ticket, position int, err error) {
	for {
		q, ok := s.queues.Load(key)
		if !ok {
			q, _ = s.queues.LoadOrStore(key, &Queue{set: s, key: key, order: order{flows: map[string]*flow{}}})
		}
		if t, position, ok, err = q.(*Queue).join(&r); ok {
			return t, position, err
		}
	}
}
