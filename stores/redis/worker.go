package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/gateway/limits"
)

const (
	// probeEvery is how long an open breaker waits between probes at most;
	// probeFirst is how long at first.
	probeEvery = 250 * time.Millisecond
	probeFirst = 10 * time.Millisecond

	// pings is how many per connection a server that comes back must answer.
	pings = 8

	// maxPending is how many settlements wait for a server that is away; the
	// oldest are given up, and their reservations stay counted.
	maxPending = 10_000
)

// later keeps a settlement until the server can be asked.
func (s *Store) later(op string, r *limits.Reservation, amounts []int64) {
	kept := settlement{op: op, id: r.ID, claims: slices.Clone(r.Claims), amounts: amounts}
	s.mu.Lock()
	if len(s.pending) >= maxPending {
		s.told()
	}
	s.pending = append(s.pending, kept)
	if op == opCharge {
		s.untold.Add(1)
	}
	s.mu.Unlock()
	s.wake()
}

// told takes the oldest settlement off those that wait; under mu.
func (s *Store) told() {
	if s.pending[0].op == opCharge {
		s.untold.Add(-1)
	}
	s.pending = s.pending[1:]
}

// Pending is how many settlements wait for the server.
func (s *Store) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending)
}

// wake sees to it that somebody connects, probes and settles what is pending.
func (s *Store) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.working || s.background.Err() != nil {
		return
	}
	s.working = true
	go s.work()
}

// work runs until the breaker is closed and nothing is pending.
func (s *Store) work() {
	defer s.finish()
	for pause := probeFirst; ; pause = min(2*pause, probeEvery) {
		done := s.recover() == nil && s.settlePending() == nil
		s.mu.Lock()
		if done && len(s.pending) == 0 && s.breaker.Allow() || s.background.Err() != nil {
			s.working = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if done {
			continue
		}
		// A store that was closed gives up at last.
		s.finish()
		select {
		case <-s.background.Done():
		case <-time.After(pause):
		}
	}
}

// recover closes an open breaker if the server decides again: the half-open
// probe. It may take as long as a connection takes, unlike a request.
func (s *Store) recover() error {
	if s.breaker.Allow() {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.background, dialTimeout)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	if err := s.probe(ctx, client); err != nil {
		return err
	}
	if err := touch(ctx, client, s.pool, func(int) string { return s.tag + "generation" }); err != nil {
		return err
	}
	s.breaker.Close()
	return nil
}

// touch asks for keys over all connections of a pool. Which one a command takes
// is chance: enough of them make sure that no request is the first to meet one
// that has died. They have a key, since commands without one go to any node of a
// Cluster, and elsewhere all over the same connection.
func touch(ctx context.Context, client rueidis.Client, pool int, key func(i int) string) error {
	for i := range min(pings*pool, 512) {
		if err := client.Do(ctx, client.B().Exists().Key(key(i)).Build()).Error(); err != nil {
			return fmt.Errorf("probing redis: %w", err)
		}
	}
	return nil
}

// connect returns the client, and makes it if there is none.
func (s *Store) connect(ctx context.Context) (rueidis.Client, error) {
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	if client != nil {
		return client, nil
	}
	client, err := rueidis.NewClient(s.dial)
	if err != nil {
		return nil, fmt.Errorf("connecting to redis: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil || ctx.Err() != nil {
		client.Close()
		if s.client == nil {
			return nil, fmt.Errorf("connecting to redis: %w", ctx.Err())
		}
		return s.client, nil
	}
	s.client = client
	return client, nil
}

// probe runs the script, reading only.
func (s *Store) probe(ctx context.Context, client rueidis.Client) error {
	e := s.request(opPeek, "", nil, nil, nil, time.Time{})
	defer e.forget()
	if do(ctx, client, e); e.err != nil {
		return fmt.Errorf("probing redis: %w", e.err)
	}
	if e.reply.status != statusDone {
		return errors.New("probing redis: the script does not answer")
	}
	s.skew.Store(e.reply.now - s.clock().UnixMicro())
	return nil
}

// settlePending sends what waits, oldest first. Sending twice does no harm.
func (s *Store) settlePending() error {
	for {
		s.mu.Lock()
		if len(s.pending) == 0 {
			s.pending = nil
			s.mu.Unlock()
			return nil
		}
		first := s.pending[0]
		s.mu.Unlock()
		_, err := s.settle(s.background, &first)
		if err != nil && !wrongType(err) {
			return err
		}
		s.mu.Lock()
		if len(s.pending) > 0 && s.pending[0].id == first.id {
			s.told()
		}
		s.mu.Unlock()
	}
}

// wrongType reports whether the server refuses a script for one of its keys,
// which somebody else has written: trying again does not help.
func wrongType(err error) bool {
	answer, ok := rueidis.IsRedisErr(err)
	return ok && strings.Contains(answer.Error(), "WRONGTYPE")
}
