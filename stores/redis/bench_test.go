package redis

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
)

// BenchmarkDecision is one decision over four scopes, a round trip on
// loopback, and its settlement.
func BenchmarkDecision(b *testing.B) {
	strict := open(b, redistest.Start(b))
	leased := limits.NewLeased(open(b, redistest.Start(b)), limits.DefaultTerms, time.Now, nil)
	defer leased.Close()
	b.Run("strict", func(b *testing.B) { decide(b, strict, true) })
	// A limit on concurrency would be decided strictly.
	b.Run("strict without concurrency", func(b *testing.B) { decide(b, strict, false) })
	b.Run("leased without concurrency", func(b *testing.B) { decide(b, leased, false) })
	b.Run("leased", func(b *testing.B) { decide(b, leased, true) })
}

func decide(b *testing.B, s limits.Store, concurrency bool) {
	b.Helper()
	rules := [][]string{{"tokens", "9000000000M", "1m"}, {"usd", "9M", "1M"}, {"requests", "9000000000M", "1s"}, {"concurrency", "1000000"}}
	if !concurrency {
		rules[3] = []string{"input_tokens", "9000000000M", "1d"}
	}
	fill := func(r *limits.Reservation) {
		for _, words := range rules {
			rule := limitstest.Rule(b, words...)
			r.Claim(limits.Key("key", "a", rule), rule, 1)
		}
	}
	run := func(r *limits.Reservation) {
		if ok, err := s.Reserve(context.Background(), r); !ok || err != nil {
			b.Error(ok, err)
		}
		_ = s.Settle(context.Background(), r, nil)
	}
	b.Run("one client", func(b *testing.B) {
		var r limits.Reservation
		r.Reset()
		fill(&r)
		b.ReportAllocs()
		for b.Loop() {
			run(&r)
		}
	})
	b.Run("many clients", func(b *testing.B) {
		b.SetParallelism(64)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var r limits.Reservation
			r.Reset()
			fill(&r)
			for pb.Next() {
				run(&r)
			}
		})
	})
}
