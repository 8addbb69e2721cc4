package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

// Charge implements limits.Store. It is counted once, however often it has to
// be sent.
func (s *Store) Charge(ctx context.Context, claims []limits.Claim) error {
	r := limits.Reservation{ID: s.id(), Claims: claims}
	_, err := s.settle(ctx, &settlement{opCharge, r.ID, claims, nil})
	if err != nil {
		s.later(opCharge, &r, nil)
	}
	return err
}

// restored is how many counters one script restores, so that none runs long.
const restored = 50

// Restore implements limits.Store.
func (s *Store) Restore(ctx context.Context, histories []limits.History) error {
	for len(histories) > 0 {
		some := histories[:min(len(histories), restored)]
		status, err := s.decide(ctx, func(wall time.Time) *errand { return s.requestHistories(some, wall) })
		switch {
		case err != nil:
			return err
		case status == statusSkewed:
			return fmt.Errorf("restoring in redis: %w: its clock has no period of ours", limits.ErrUnavailable)
		}
		histories = histories[len(some):]
	}
	return nil
}
