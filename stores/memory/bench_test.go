package memory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

func mustParse(tb testing.TB, words ...string) *limits.Rule {
	tb.Helper()
	rule, err := limits.Parse(words)
	if err != nil {
		tb.Fatal(err)
	}
	return &rule
}

// fourScopes are the limits of one request: of its key, team, model and of
// all.
func fourScopes(tb testing.TB, r *limits.Reservation, key string) {
	r.Reset()
	r.Claim("key:"+key+":a", mustParse(tb, "tokens", "9000000000M", "1m"), 100)
	r.Claim("team:t:b", mustParse(tb, "usd", "9M", "1M"), 100)
	r.Claim("model:m:c", mustParse(tb, "requests", "9000000000M", "1s"), 1)
	r.Claim("global::d", mustParse(tb, "concurrency", "1M"), 1)
}

func BenchmarkFourScopes(b *testing.B) {
	s := New(time.Now, 0)
	ctx := context.Background()
	actual := []int64{10, 10, 1, 1}
	b.Run("reserve", func(b *testing.B) {
		// Settled outside the measured time would cost more timer calls than
		// the decision; a rule without leases needs no settling to be fair.
		var r limits.Reservation
		fourScopes(b, &r, "x")
		r.Claims[3].Rule = mustParse(b, "requests", "9000000000M", "1h")
		b.ReportAllocs()
		for b.Loop() {
			if ok, err := s.Reserve(ctx, &r); !ok || err != nil {
				b.Fatal(ok, err)
			}
			r.Held = false
		}
	})
	b.Run("reserve and settle", func(b *testing.B) {
		var r limits.Reservation
		fourScopes(b, &r, "y")
		b.ReportAllocs()
		for b.Loop() {
			if ok, err := s.Reserve(ctx, &r); !ok || err != nil {
				b.Fatal(ok, err)
			}
			if err := s.Settle(ctx, &r, actual); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var r limits.Reservation
			fourScopes(b, &r, "z")
			for pb.Next() {
				if ok, err := s.Reserve(ctx, &r); !ok || err != nil {
					b.Error(ok, err)
				}
				_ = s.Settle(ctx, &r, actual)
			}
		})
	})
	b.Run("100,000 keys", func(b *testing.B) {
		reservations := make([]limits.Reservation, 100_000)
		for i := range reservations {
			fourScopes(b, &reservations[i], fmt.Sprint(i))
		}
		for i := range reservations {
			// Held, or the counters would be idle and forgotten.
			if ok, err := s.Reserve(ctx, &reservations[i]); !ok || err != nil {
				b.Fatal(ok, err)
			}
			reservations[i].Held = false
		}
		i := 0
		b.ReportAllocs()
		b.ResetTimer()
		for b.Loop() {
			r := &reservations[i%len(reservations)]
			i += 7919
			if ok, err := s.Reserve(ctx, r); !ok || err != nil {
				b.Fatal(ok, err)
			}
			_ = s.Settle(ctx, r, actual)
		}
	})
}
