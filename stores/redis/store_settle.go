package redis

import (
	"context"
	"fmt"

	"github.com/weirproxy/weir/gateway/limits"
)

// settlement is one that waits for the server.
type settlement struct {
	op      string
	id      string
	claims  []limits.Claim
	amounts []int64
}

// Settle implements limits.Store. A settlement that fails is tried again until
// the server has it, once: it knows which reservations are held.
func (s *Store) Settle(ctx context.Context, r *limits.Reservation, actual []int64) error {
	if !r.Held {
		return nil
	}
	r.Held = false
	defer s.finish()
	defer s.held.Add(-1)
	amounts := make([]int64, len(r.Claims))
	for i := range amounts {
		amounts[i] = keep
		if i < len(actual) {
			amounts[i] = min(max(actual[i], 0), limits.MaxAmount)
		}
	}
	for attempt := 0; ; attempt++ {
		e := s.request(opSettle, r.ID, r.Claims, r.Holds, amounts, s.now())
		err := s.run(ctx, e)
		status := e.status()
		if r.Prepare(); err == nil && status != statusSkewed {
			err = e.reply.into(r)
			e.forget()
			return err
		}
		e.forget()
		switch {
		case err != nil:
			s.later(opSettle, r, amounts)
			return err
		case attempt > 0:
			return fmt.Errorf("settling in redis: %w: its clock has no period of ours", limits.ErrUnavailable)
		}
	}
}

// Amend implements limits.Store. One that fails is not tried again: more than is
// needed stays reserved, until it is settled.
func (s *Store) Amend(ctx context.Context, r *limits.Reservation, amounts []int64) error {
	if !r.Held {
		return nil
	}
	lower := make([]int64, len(r.Claims))
	for i := range lower {
		lower[i] = keep
		if i < len(amounts) && r.Lowers(i, amounts[i]) {
			lower[i] = amounts[i]
		}
	}
	status, err := s.settle(ctx, &settlement{opAmend, r.ID, r.Claims, lower})
	if err == nil && status == statusDone {
		r.Lower(amounts)
	}
	return err
}

// Renew implements limits.Store.
func (s *Store) Renew(ctx context.Context, r *limits.Reservation) error {
	if !r.Held {
		return nil
	}
	status, err := s.settle(ctx, &settlement{opRenew, r.ID, r.Claims, nil})
	if err != nil {
		return err
	}
	if status != statusDone {
		return limits.ErrLeaseLost
	}
	return nil
}

// finish disconnects a closed store that holds nothing more.
func (s *Store) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.IsZero() || s.held.Load() > 0 || len(s.pending) > 0 && s.clock().Sub(s.closed) < farewell {
		return
	}
	s.cancel()
	if client := s.client; client != nil {
		s.client = nil
		// Closing waits for answers, which a server that hangs does not send.
		go client.Close()
	}
}
