package redis

import (
	"context"
	"fmt"

	"github.com/weirproxy/weir/gateway/limits"
)

// Charge implements limits.Store. It is counted once, however often it has to
// be sent.
func (s *Store) Charge(ctx context.Context, claims []limits.Claim) error {
	r := limits.Reservation{ID: s.id(), Claims: claims}
	for attempt := 0; ; attempt++ {
		status, err := s.decide(ctx, s.request(opCharge, r.ID, claims, nil, nil, s.now()))
		if err != nil {
			s.later(opCharge, &r, nil)
			return err
		}
		if status != statusSkewed || attempt > 0 {
			return nil
		}
	}
}

// restored is how many counters one script restores, so that none runs long.
const restored = 50

// Restore implements limits.Store.
func (s *Store) Restore(ctx context.Context, histories []limits.History) error {
	for attempt := 0; len(histories) > 0; {
		some := histories[:min(len(histories), restored)]
		status, err := s.decide(ctx, s.requestHistories(some))
		if err != nil {
			return err
		}
		if status == statusSkewed {
			if attempt++; attempt > 1 {
				return fmt.Errorf("restoring in redis: %w: its clock has no period of ours", limits.ErrUnavailable)
			}
			continue
		}
		histories, attempt = histories[len(some):], 0
	}
	return nil
}
