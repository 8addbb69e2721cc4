package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/stores/memory"
)

// TestTwins runs the same random traces through the script and through the Go
// implementation: they must agree in every decision, and keep to the model.
func TestTwins(t *testing.T) {
	for i, program := range redistest.All(t) {
		seeds := uint64(40)
		if i > 0 || testing.Short() {
			seeds = 5
		}
		t.Run(program.Name, func(t *testing.T) {
			server := program.Start(t)
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					clock := limitstest.NewClock()
					store := open(t, server, func(o *Options) { o.Prefix = fmt.Sprintf("twin%d", seed) })
					store.fixed = clock.Micros
					limitstest.Trace(t, seed, 300, clock, memory.New(clock.Now, 0), store)
				})
			}
		})
	}
}

// TestRestoredTwins restores the same histories with both, over what is there by
// chance: they must agree for as long as anything of it counts.
func TestRestoredTwins(t *testing.T) {
	server := redistest.Start(t)
	for seed := range uint64(20) {
		rnd, clock := rand.New(rand.NewPCG(seed, 6)), limitstest.NewClock()
		shared := open(t, server, func(o *Options) { o.Prefix = fmt.Sprintf("restored%d", seed) })
		shared.fixed = clock.Micros
		stores := []limits.Store{memory.New(clock.Now, 0), shared}
		rule := limitstest.Rule(t, "usd", "1", "30d")
		for i := range rnd.IntN(3) * 4 {
			clock.Advance(time.Duration(rnd.Int64N(int64(3 * 24 * time.Hour))))
			for _, s := range stores {
				r := claim(t, "a", int64(i*100), "usd", "1", "30d")
				if mustReserve(t, s, r); s.Settle(context.Background(), r, nil) != nil {
					t.Fatal("it does not settle")
				}
			}
		}
		h := limits.History{Key: "a", Rule: rule}
		for range rnd.IntN(40) {
			h.Uses = append(h.Uses, limits.Use{Ago: time.Duration(rnd.Int64N(int64(32 * 24 * time.Hour))).Truncate(time.Hour), Amount: rnd.Int64N(1000)})
		}
		for _, s := range stores {
			if err := s.Restore(context.Background(), []limits.History{h}); err != nil {
				t.Fatal(err)
			}
		}
		for range 40 {
			var said []limits.Decision
			for _, s := range stores {
				r := claim(t, "a", 1, "usd", "1", "30d")
				if err := s.Peek(context.Background(), r); err != nil {
					t.Fatal(err)
				}
				r.Decisions[0].Generation = 0
				said = append(said, r.Decisions[0])
			}
			if said[0] != said[1] {
				t.Fatalf("seed %d: memory says %+v, redis %+v", seed, said[0], said[1])
			}
			clock.Advance(time.Duration(rnd.Int64N(int64(2 * 24 * time.Hour))))
		}
	}
}

// TestLateDebts holds that both count a debt for a whole window when what was reserved
// has left it, or is about to.
func TestLateDebts(t *testing.T) {
	server := redistest.Start(t)
	for _, after := range []time.Duration{31 * time.Second, 31950 * time.Millisecond, 32 * time.Second, 33 * time.Second, time.Minute} {
		clock := limitstest.NewClock()
		shared := open(t, server, func(o *Options) { o.Prefix = fmt.Sprint("late", after) })
		shared.fixed = clock.Micros
		words := []string{"tokens", "1000", "32s"}
		for name, s := range map[string]limits.Store{"memory": memory.New(clock.Now, 0), "redis": shared} {
			begin := *clock
			r, look := claim(t, "a", 100, words...), claim(t, "a", 1, words...)
			mustReserve(t, s, r)
			clock.Advance(after)
			if err := s.Settle(context.Background(), r, []int64{180}); err != nil {
				t.Fatal(err)
			}
			want := int64(80)
			if after < 32*time.Second {
				want = 180
			}
			if used := r.Decisions[0].Used; used != want {
				t.Errorf("%s: %d are used when it settles after %s, want %d", name, used, after, want)
			}
			if after > 31*time.Second {
				clock.Advance(32*time.Second - time.Microsecond)
				if err := s.Peek(context.Background(), look); err != nil || look.Decisions[0].Used != 80 {
					t.Errorf("%s: %v, %+v at the end of a window after a debt after %s", name, err, look.Decisions, after)
				}
			}
			*clock = begin
		}
	}
}

// TestBeyondExact holds that both know what is left when something goes that made the
// sum more than a number of the server's can hold exactly.
func TestBeyondExact(t *testing.T) {
	server, clock := redistest.Start(t), limitstest.NewClock()
	shared := open(t, server)
	shared.fixed = clock.Micros
	words := []string{"usd", "1", "32s"}
	for name, s := range map[string]limits.Store{"memory": memory.New(clock.Now, 0), "redis": shared} {
		huge, small := claim(t, "a", limits.MaxAmount, words...), claim(t, "a", 4, words...)
		huge.Force, small.Force = true, true
		for _, r := range []*limits.Reservation{huge, small} {
			mustReserve(t, s, r)
			clock.Advance(time.Second)
		}
		if used := small.Decisions[0].Used; used != limits.MaxAmount {
			t.Errorf("%s: %d are used of both", name, used)
		}
		if err := s.Settle(context.Background(), huge, []int64{0}); err != nil || huge.Decisions[0].Used != 4 {
			t.Errorf("%s: %v, %d are left, want 4", name, err, huge.Decisions[0].Used)
		}
	}
}

// TestBackwardsTwins holds that to both, a clock that goes back stands still: what is
// reserved then is not forgotten earlier for it, nor counted in a period that is over.
func TestBackwardsTwins(t *testing.T) {
	server := redistest.Start(t)
	for _, words := range [][]string{{"tokens", "1000", "1h"}, {"usd", "1", "1d"}} {
		clock := limitstest.NewClock()
		shared := open(t, server, func(o *Options) { o.Prefix = "back" + words[0] })
		shared.fixed = clock.Micros
		start, end := limitstest.Rule(t, "usd", "1", "1d").Period(clock.Now())
		clock.Advance(end.Sub(clock.Now()) + time.Minute)
		stores := []limits.Store{memory.New(clock.Now, 0), shared}
		for i, passed := range []time.Duration{0, -30 * time.Minute, -time.Hour, 10 * time.Minute, 90*time.Minute + time.Second, 40 * time.Minute, end.Sub(start), -time.Minute, 2 * time.Hour} {
			clock.Advance(passed)
			var said []limits.Decision
			for _, s := range stores {
				r := claim(t, "a", int64(10+i), words...)
				mustReserve(t, s, r)
				r.Decisions[0].Generation = 0
				said = append(said, r.Decisions[0])
			}
			if said[0] != said[1] {
				t.Errorf("%s, step %d: memory says %+v, redis %+v", words[0], i, said[0], said[1])
			}
		}
	}
}
