package redis

import "sync"

// threshold is how many failures in a row open the breaker.
const threshold = 5

// breaker keeps requests from a server that does not answer. While it is
// open, the store's worker probes; no request pays for it.
type breaker struct {
	mu       sync.Mutex
	failures int
	open     bool
}

// allow reports whether a command may be sent.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open
}

// record notes how a command ended and reports whether that opened the
// breaker.
func (b *breaker) record(ok bool) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures = 0
		return false
	}
	if b.failures++; b.failures < threshold || b.open {
		return false
	}
	b.open = true
	return true
}

// trip opens the breaker at once.
func (b *breaker) trip() {
	b.mu.Lock()
	b.open = true
	b.mu.Unlock()
}

// close lets commands through again, after a probe that succeeded.
func (b *breaker) close() {
	b.mu.Lock()
	b.open, b.failures = false, 0
	b.mu.Unlock()
}
