package redis

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/stores/memory"
)

// BenchmarkOutage is what requests feel of a server that hangs, is killed, and
// comes back: the 99th percentile and the longest of their decisions, with it
// and without, from 64 clients. A store that is away may cost the deadline of
// 50 ms once.
func BenchmarkOutage(b *testing.B) {
	for _, c := range []struct {
		name      string
		away, end func(*redistest.Server)
	}{
		{"nothing", func(*redistest.Server) {}, func(*redistest.Server) {}},
		{"hangs", (*redistest.Server).Pause, (*redistest.Server).Resume},
		{"killed", (*redistest.Server).Stop, (*redistest.Server).Restart},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				server := redistest.Start(b)
				store := limits.NewFailover(open(b, server, func(o *Options) { o.Deadline = DefaultDeadline }), memory.New(time.Now, 0), func() int { return 1 })
				took := timeDecisions(b, store, func() { c.away(server) }, func() { c.end(server) })
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
				b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
				b.ReportMetric(float64(len(took)), "decisions")
			}
		})
	}
}

// timeDecisions returns how long decisions took, sorted: half a second with the
// server, one without, half a second with it again.
func timeDecisions(b *testing.B, store limits.Store, away, end func()) []time.Duration {
	b.Helper()
	var (
		mu    sync.Mutex
		took  []time.Duration
		over  atomic.Bool
		group sync.WaitGroup
	)
	rule := limitstest.Rule(b, "tokens", "9000000000M", "1m")
	for range 64 {
		group.Go(func() {
			var own []time.Duration
			var r limits.Reservation
			for !over.Load() {
				r.Reset()
				r.Claim(limits.Key("key", "a", rule), rule, 1)
				start := time.Now()
				if ok, err := store.Reserve(context.Background(), &r); !ok || err != nil {
					b.Error(ok, err)
					return
				}
				own = append(own, time.Since(start))
				_ = store.Settle(context.Background(), &r, nil)
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
	}
	time.Sleep(500 * time.Millisecond)
	away()
	time.Sleep(time.Second)
	end()
	time.Sleep(500 * time.Millisecond)
	over.Store(true)
	group.Wait()
	slices.Sort(took)
	return took
}
