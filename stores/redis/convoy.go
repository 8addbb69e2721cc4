package redis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/gateway/limits"
)

const (
	// apart is how long after one convoy the next leaves, unless none is under
	// way: what a round trip costs here is shared by those who ask within it.
	apart = time.Millisecond

	// crowd is how many errands a convoy has at most. They come back together,
	// so the first waits for what the server needs for the others.
	crowd = 32
)

// convoys are what lets errands that are ready at about the same time leave as
// one: a write, a read and two changes of goroutines are most of what a round
// trip costs this process.
type convoys struct {
	mu      sync.Mutex
	waiting []*errand

	// away is how many convoys are under way, left when the last one left.
	away int
	left time.Time

	// boarding says that a goroutine takes what waits in a moment, watched that
	// a timer sees to it.
	boarding, watched bool
}

// send has e done; its channel says when.
func (s *Store) send(e *errand) {
	q := &s.convoys
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, e)
	if q.boarding {
		return
	}
	since := s.clock().Sub(q.left)
	switch {
	case q.away == 0 || len(q.waiting) >= crowd || since >= apart:
		q.boarding = true
		go s.escort()
	case !q.watched:
		q.watched = true
		time.AfterFunc(apart-since, s.late)
	}
}

// late is for errands that no convoy has come back for in time.
func (s *Store) late() {
	q := &s.convoys
	q.mu.Lock()
	q.watched = false
	leave := len(q.waiting) > 0 && !q.boarding
	q.boarding = q.boarding || leave
	q.mu.Unlock()
	if leave {
		s.escort()
	}
}

// escort takes what waits to the server and back, until nothing waits.
func (s *Store) escort() {
	q := &s.convoys
	for again := true; again; {
		// Requests that are about to ask come along.
		runtime.Gosched()
		q.mu.Lock()
		n := min(len(q.waiting), crowd)
		convoy := append([]*errand(nil), q.waiting[:n]...)
		rest := copy(q.waiting, q.waiting[n:])
		clear(q.waiting[rest:])
		q.waiting = q.waiting[:rest]
		q.away++
		q.left = s.clock()
		q.boarding = rest >= crowd
		if q.boarding {
			go s.escort()
		}
		q.mu.Unlock()
		s.travel(convoy)
		q.mu.Lock()
		q.away--
		again = len(q.waiting) > 0 && !q.boarding
		q.boarding = q.boarding || again
		q.mu.Unlock()
		for _, e := range convoy {
			e.done <- struct{}{}
		}
	}
}

// travel does the errands in their order.
func (s *Store) travel(convoy []*errand) {
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	if client == nil {
		for _, e := range convoy {
			e.err = errNotSent
		}
		return
	}
	ctx, cancel := context.WithTimeout(s.background, time.Duration(s.deadline.Load()))
	defer cancel()
	do(ctx, client, convoy...)
}

// do runs the scripts of errands in their order.
func do(ctx context.Context, client rueidis.Client, errands ...*errand) {
	if unknown := carry(ctx, client, errands, false); len(unknown) > 0 {
		carry(ctx, client, unknown, true)
	}
}

// carry runs scripts by their names or, whole, as they are. It returns those
// whose names the server does not know.
func carry(ctx context.Context, client rueidis.Client, errands []*errand, whole bool) (unknown []*errand) {
	commands := make(rueidis.Commands, len(errands))
	for i, e := range errands {
		commands[i] = e.command(client, whole)
	}
	for i, result := range client.DoMulti(ctx, commands...) {
		e := errands[i]
		e.err = e.reply.decode(result, e.script.values)
		if answer, ok := rueidis.IsRedisErr(e.err); ok && answer.IsNoScript() {
			unknown = append(unknown, e)
		}
	}
	return unknown
}

// run has e done within the deadline, or says ErrUnavailable.
func (s *Store) run(ctx context.Context, e *errand) error {
	if !s.breaker.Allow() {
		s.wake()
		return errNotSent
	}
	s.send(e)
	var err error
	select {
	case <-e.done:
		err = e.err
	case <-ctx.Done():
		err, e.away = ctx.Err(), true
	}
	switch {
	case err == nil:
		s.breaker.Record(true)
		s.skew.Store(e.reply.now - s.clock().UnixMicro())
		s.beat()
		return nil
	case errors.Is(err, errNotSent):
		return err
	case ctx.Err() != nil:
		// A client that leaves says nothing about the server.
	case wrongType(err):
		// One bad key is not a bad server.
		s.breaker.Record(true)
	case s.breaker.Record(false):
		s.wake()
	}
	return fmt.Errorf("asking redis: %w: %w", limits.ErrUnavailable, err)
}
