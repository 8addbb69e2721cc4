package redis

import (
	"context"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

const (
	// beatEvery is how often an instance that is at work says so.
	beatEvery = 10 * time.Second

	// alive is how long it counts afterwards: an idle one may get requests at
	// any moment.
	alive = 5 * time.Minute
)

// Instances is how many gateways share the store, by the last count; at
// least 1.
func (s *Store) Instances() int { return int(max(1, s.others.Load())) }

// beat says, now and then and in the background, that this instance is one.
func (s *Store) beat() {
	last, now := s.beaten.Load(), s.clock().UnixMicro()
	if now-last < beatEvery.Microseconds() || !s.beaten.CompareAndSwap(last, now) {
		return
	}
	go s.count()
}

func (s *Store) count() {
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	if client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.background, dialTimeout)
	defer cancel()
	e := s.errand(s.decisions, "generation", "instances")
	defer e.forget()
	e.word(opBeat)
	e.number(0)
	e.number(alive.Microseconds())
	e.number(2 * alive.Milliseconds())
	e.word(s.instance)
	// A beat that fails comes again.
	if do(ctx, client, e); e.err == nil {
		s.others.Store(min(e.reply.generation, limits.MaxAmount))
	}
}
