// Package inflight knows every request that is being served, whichever
// configuration it began under. Caddy, when it exits, waits only for the
// servers of its last configuration, and cuts what is left without telling
// the handlers; a gateway that must account for every stream cannot leave it
// at that.
package inflight

import (
	"sync"
	"sync/atomic"
)

// shards spreads the registry's locks; a power of two.
const shards = 16

// Registry is a set of calls. Safe for concurrent use; the zero value is an
// empty registry.
type Registry struct {
	next    atomic.Uint64
	count   atomic.Int64
	exiting atomic.Bool
	shard   [shards]shard

	generation atomic.Uint64
	guard      atomic.Pointer[Guard]

	mu   sync.Mutex
	idle []chan struct{} // closed when count falls to 0
}

type shard struct {
	mu    sync.Mutex
	calls map[*Call]struct{}
}

// Call is one request in flight.
type Call struct {
	registry *Registry
	shard    *shard

	work Work

	// owner is who the call is made for; nil if that cannot change. owned is its
	// memory.
	owner atomic.Pointer[owner]
	owned owner
}

// Work is what a call does.
type Work interface {
	// Cancel ends it with a cause.
	Cancel(cause error)

	// Settle accounts for a call whose handler does not come back.
	Settle()
}

// Process holds the calls of this process. It is package state on purpose:
// it has to outlive every configuration.
var Process Registry

// Add enters c, a call that does work. Whoever adds it must call Done.
func (r *Registry) Add(c *Call, work Work) {
	s := &r.shard[r.next.Add(1)%shards]
	c.registry, c.shard, c.work = r, s, work
	s.mu.Lock()
	if s.calls == nil {
		s.calls = make(map[*Call]struct{})
	}
	s.calls[c] = struct{}{}
	s.mu.Unlock()
	r.count.Add(1)
}

// Done removes the call.
func (c *Call) Done() {
	c.shard.mu.Lock()
	delete(c.shard.calls, c)
	c.shard.mu.Unlock()
	if c.registry.count.Add(-1) == 0 {
		c.registry.wake()
	}
}

func (r *Registry) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ch := range r.idle {
		close(ch)
	}
	r.idle = nil
}

// Len is the number of calls in flight.
func (r *Registry) Len() int { return int(r.count.Load()) }

// Idle returns a channel that is closed when no call is in flight.
func (r *Registry) Idle() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan struct{})
	if r.count.Load() == 0 {
		close(ch)
		return ch
	}
	r.idle = append(r.idle, ch)
	return ch
}

// SetExiting says whether the process is on its way out, for readiness.
func (r *Registry) SetExiting(exiting bool) { r.exiting.Store(exiting) }

// Exiting reports whether the process is on its way out.
func (r *Registry) Exiting() bool { return r.exiting.Load() }

// Cancel ends every call with cause. Their handlers go on to tell their
// clients and to settle.
func (r *Registry) Cancel(cause error) {
	r.each(func(c *Call) { c.work.Cancel(cause) })
}

// Settle accounts for every call that is still there.
func (r *Registry) Settle() {
	r.each(func(c *Call) { c.work.Settle() })
}

func (r *Registry) each(f func(*Call)) {
	for i := range r.shard {
		s := &r.shard[i]
		s.mu.Lock()
		calls := make([]*Call, 0, len(s.calls))
		for c := range s.calls {
			calls = append(calls, c)
		}
		s.mu.Unlock()
		for _, c := range calls {
			f(c)
		}
	}
}
