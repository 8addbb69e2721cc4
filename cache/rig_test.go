package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/clocktest"
	"github.com/weirproxy/weir/wire"
)

func newClock() *clocktest.Clock {
	return clocktest.New(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
}

var hour = Terms{TTL: time.Hour}

// open returns a cache of its own process: with its own memory and marks.
func open(tb testing.TB, size int64, remote Remote, clock *clocktest.Clock, change ...func(*Options)) *Cache {
	tb.Helper()
	memory, err := NewMemory(size)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(memory.Close)
	o := Options{Memory: memory, Marks: NewMarks(clock.Now, nil), Remote: remote, Now: clock.Now}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	if remote != nil {
		tb.Cleanup(o.Marks.Attach(remote))
	}
	return c
}

func keyOf(scope, request string) Key {
	var digest [32]byte
	copy(digest[:], request)
	return KeyOf("1", "key", scope, "m", digest)
}

func answer(clock *clocktest.Clock, body string, tags ...string) *Answer {
	return &Answer{
		Made: clock.Now(), Took: time.Second, Provider: "p", Model: "m", Usage: wire.Usage{Input: 3, Output: 4}, Cost: 7,
		Finish: "stop", Tags: tags, Form: Form{Operation: wire.Chat, Body: []byte(body)},
	}
}

// shelf is a Remote in the process: what a fleet shares, without its failures.
type shelf struct {
	mu     sync.Mutex
	values map[Key][]byte
	marks  map[string]uint64
	apply  map[int]func([]Mark)
	broken bool
}

func newShelf() *shelf {
	return &shelf{values: map[Key][]byte{}, marks: map[string]uint64{}, apply: map[int]func([]Mark){}}
}

var errBroken = errors.New("broken")

func (s *shelf) Get(_ context.Context, key Key, _ int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return nil, errBroken
	}
	return s.values[key], nil
}

func (s *shelf) Put(key Key, _ time.Duration, _ int, value func() []byte) bool {
	b := value()
	s.mu.Lock()
	defer s.mu.Unlock()
	if b != nil {
		s.values[key] = b
	}
	return true
}

func (s *shelf) Purge(_ context.Context, marks []Mark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errBroken
	}
	for _, mark := range marks {
		s.marks[mark.Tag] = mark.Value
	}
	for _, apply := range s.apply {
		apply(marks)
	}
	return nil
}

func (s *shelf) Watch(apply func([]Mark), _ func() []Mark) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tag, value := range s.marks {
		apply([]Mark{{tag, value}})
	}
	n := len(s.apply)
	s.apply[n] = apply
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.apply[n] = func([]Mark) {}
	}
}

func (s *shelf) Claim(context.Context, Key, time.Duration) (Flight, error) { return nil, errBroken }
func (s *shelf) Stats() RemoteStats                                        { return RemoteStats{} }

func scopes(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("tenant-%d", i))
	}
	return names
}
