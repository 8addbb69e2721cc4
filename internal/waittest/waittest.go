// Package waittest has the waits of tests: for as long as it takes, with an end
// for what never comes.
package waittest

import (
	"sync"
	"testing"
	"time"
)

// Patience bounds waits for things that must happen; nothing is timed by it.
const Patience = 20 * time.Second

// Count is a number that can be waited for. Its zero value is 0, and its methods
// are safe for concurrent use.
type Count struct {
	mu    sync.Mutex
	n     int64
	moved chan struct{} // closed when n changes; nil while nobody waits
}

// Add changes the number, and returns the new one.
func (c *Count) Add(delta int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n += delta; c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
	return c.n
}

// Load is the number.
func (c *Count) Load() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Wait returns when the number is n.
func (c *Count) Wait(tb testing.TB, n int64) {
	tb.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		now, moved := c.look()
		if now == n {
			return
		}
		select {
		case <-moved:
		case <-late.C:
			tb.Fatalf("it is %d, not %d", now, n)
		}
	}
}

func (c *Count) look() (int64, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	return c.n, c.moved
}

// Eventually returns when ok holds. It asks again and again: it is for what
// nobody tells.
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("%s did not come", what)
		}
	}
}
