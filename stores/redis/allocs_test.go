//go:build !race

package redis

import (
	"context"
	"math"
	"testing"

	"github.com/weirproxy/weir/internal/redistest"
)

// Under the race detector a sync.Pool drops things at random.

// TestDecisionAllocs bounds what a decision and its settlement allocate.
func TestDecisionAllocs(t *testing.T) {
	s := open(t, redistest.Start(t))
	r := claim(t, "a", 1, "requests", "1000", "1h")
	least := math.Inf(1)
	for range 5 { // a collection in between empties the pools
		least = min(least, testing.AllocsPerRun(100, func() {
			if ok, err := s.Reserve(context.Background(), r); !ok || err != nil {
				t.Error(ok, err)
			}
			_ = s.Settle(context.Background(), r, nil)
		}))
	}
	if least > 30 {
		t.Errorf("%.0f allocations, want 26", least)
	}
}
