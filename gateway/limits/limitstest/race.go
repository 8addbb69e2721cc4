package limitstest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/gateway/limits"
)

// Race lets 1,000 clients, spread over stores that share their counters, try
// for the last 100 places at once, for every unit, and wants exactly 100 of
// them admitted. Another limit of the same request has room for more; what it
// counts must be 100 too, so that refusals cost nothing.
func Race(t *testing.T, stores ...limits.Store) {
	t.Helper()
	const clients, places = 1000, 100
	for _, c := range []struct {
		name   string
		words  []string
		amount int64
	}{
		{"requests", []string{"requests", "100", "1h"}, 1},
		{"tokens", []string{"tokens", "400k", "1h"}, 4000},
		{"usd a month", []string{"usd", "0.50", "1M"}, limits.Dollar / 200},
		{"usd an hour", []string{"usd", "0.5", "1h"}, limits.Dollar / 200},
		{"concurrency", []string{"concurrency", "100"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule, wide := Rule(t, c.words...), Rule(t, "input_tokens", "5k", "1h")
			key, wideKey := limits.Key("race", c.name, rule), limits.Key("race", c.name, wide)
			var admitted, failed atomic.Int64
			var start, done sync.WaitGroup
			start.Add(1)
			all := make([]limits.Reservation, clients)
			for i := range all {
				done.Go(func() {
					r := &all[i]
					r.Reset()
					r.Claim(wideKey, wide, 1)
					r.Claim(key, rule, c.amount)
					start.Wait()
					ok, err := stores[i%len(stores)].Reserve(context.Background(), r)
					if err != nil {
						failed.Add(1)
						t.Log(err)
					}
					if ok {
						admitted.Add(1)
					}
				})
			}
			start.Done()
			done.Wait()
			if failed.Load() > 0 || admitted.Load() != places {
				t.Errorf("%d admitted of %d places, %d not decided", admitted.Load(), places, failed.Load())
			}
			var after limits.Reservation
			after.Reset()
			after.Claim(wideKey, wide, 0)
			if err := stores[0].Peek(context.Background(), &after); err != nil {
				t.Fatal(err)
			}
			if used := after.Decisions[0].Used; used != places {
				t.Errorf("the wider limit has counted %d of %d admitted: refusals cost", used, places)
			}
			for i := range all {
				if err := stores[i%len(stores)].Settle(context.Background(), &all[i], []int64{0, 0}); err != nil {
					t.Fatal(err)
				}
			}
			// Nothing was spent after all: there is room for all of it again.
			after.Reset()
			after.Claim(wideKey, wide, 5000)
			after.Claim(key, rule, rule.Amount)
			if rule.Unit == limits.Concurrency {
				after.Claims[1].Amount = 1
			}
			if ok, err := stores[0].Reserve(context.Background(), &after); !ok || err != nil {
				t.Errorf("after everything was given back: %t %v %+v", ok, err, after.Decisions)
			}
			_ = stores[0].Settle(context.Background(), &after, []int64{0, 0})
		})
	}
}
