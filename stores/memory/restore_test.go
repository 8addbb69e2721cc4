package memory

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
)

// TestRestoreUnderWay holds that requests that are under way when the ledger can be
// asked at last give back what they held, and nothing of what had been spent.
func TestRestoreUnderWay(t *testing.T) {
	ctx := context.Background()
	for _, window := range []string{"30d", "1M"} {
		s := New(time.Now, 0)
		rule := limitstest.Rule(t, "usd", "20", window)
		kept, _ := reserve(t, s, "a", rule, limits.Dollar)
		r, _ := reserve(t, s, "a", rule, 5*limits.Dollar)
		history := []limits.History{{Key: "a", Rule: rule, Uses: []limits.Use{{Ago: time.Minute, Amount: 10 * limits.Dollar}}}}
		check := func(err error, dollars int64) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Peek(ctx, kept); err != nil || kept.Decisions[0].Used != dollars*limits.Dollar {
				t.Errorf("%s: %v, %d nano-dollars are counted, want %d dollars", window, err, kept.Decisions[0].Used, dollars)
			}
		}
		check(s.Restore(ctx, history), 16)
		check(s.Amend(ctx, r, []int64{4 * limits.Dollar}), 15)
		check(s.Restore(ctx, history), 15)
		check(s.Settle(ctx, r, []int64{limits.Dollar}), 12)
		check(s.Settle(ctx, kept, nil), 12)
		history[0].Uses[0].Amount += 2 * limits.Dollar
		check(s.Restore(ctx, history), 12)
	}
}
