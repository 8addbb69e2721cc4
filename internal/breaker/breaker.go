// Package breaker keeps requests from a server that does not answer. While it is
// open, a worker of the server's client probes; no request pays for that.
package breaker

import "sync"

// Threshold is how many failures in a row open a Breaker.
const Threshold = 5

// Breaker is closed at first. It is safe for concurrent use.
type Breaker struct {
	mu       sync.Mutex
	failures int
	open     bool
}

// Allow reports whether a command may be sent.
func (b *Breaker) Allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open
}

// Record notes how a command ended and reports whether that opened the
// breaker.
func (b *Breaker) Record(ok bool) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures = 0
		return false
	}
	if b.failures++; b.failures < Threshold || b.open {
		return false
	}
	b.open = true
	return true
}

// Trip opens the breaker at once.
func (b *Breaker) Trip() {
	b.mu.Lock()
	b.open = true
	b.mu.Unlock()
}

// Close lets commands through again, after a probe that succeeded.
func (b *Breaker) Close() {
	b.mu.Lock()
	b.open, b.failures = false, 0
	b.mu.Unlock()
}
