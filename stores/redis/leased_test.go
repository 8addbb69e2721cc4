package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
)

// counting counts round trips, and loses answers.
type counting struct {
	*Store
	trips atomic.Int64
	lost  func() bool
}

func (c *counting) Lend(ctx context.Context, percent int64, loans []limits.Loan) (bool, error) {
	c.trips.Add(1)
	ok, err := c.Store.Lend(ctx, percent, loans)
	if err == nil && c.lost != nil && c.lost() {
		return false, fmt.Errorf("losing an answer: %w", limits.ErrUnavailable)
	}
	return ok, err
}

func (c *counting) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	c.trips.Add(1)
	return c.Store.Reserve(ctx, r)
}

func (c *counting) Settle(ctx context.Context, r *limits.Reservation, actual []int64) error {
	c.trips.Add(1)
	return c.Store.Settle(ctx, r, actual)
}

// TestLeasedTraces holds the bound of limits.Leased on random traces over a
// simulated fleet, whose clocks are wrong, and whose answers are lost.
func TestLeasedTraces(t *testing.T) {
	server := redistest.Start(t)
	seeds := uint64(60)
	if testing.Short() {
		seeds = 6
	}
	terms := limits.Terms{Time: 8 * time.Second, Percent: 30}
	admitted := 0
	for seed := range seeds {
		name := fmt.Sprintf("%d, without faults", seed)
		if seed%2 == 1 {
			name = fmt.Sprintf("%d, with crashes and stops", seed)
		}
		t.Run(name, func(t *testing.T) {
			clock := limitstest.NewClock()
			prefix := func(o *Options) { o.Prefix = fmt.Sprintf("fleet%d", seed) }
			shared := open(t, server, prefix)
			shared.fixed = clock.Micros
			fleet := limitstest.Fleet{Store: shared, Instances: 3, Terms: terms, Faults: seed%2 == 1}
			fleet.Start = func(now func() time.Time, spawn func(time.Duration, func()), lost func() bool) *limits.Leased {
				s := open(t, server, prefix)
				s.fixed = clock.Micros
				s.others.Store(3)
				s.beaten.Store(1 << 62)
				return limits.NewLeased(&counting{Store: s, lost: lost}, terms, now, spawn)
			}
			admitted += fleet.Trace(t, seed, 500, clock)
		})
	}
	if admitted < int(seeds)*50 {
		t.Errorf("only %d admitted: the traces test nothing", admitted)
	}
}
