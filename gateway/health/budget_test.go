package health

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	c := newClock()
	b := NewBudget(c, 0.1, 3)
	ask := func(n int) (allowed int) {
		for range n {
			if b.Allow() {
				allowed++
			}
		}
		return allowed
	}
	first := func(n int) {
		for range n {
			b.First()
		}
	}
	if got := ask(10); got != 3 {
		t.Errorf("%d without a first call, want the floor", got)
	}
	first(39)
	if got := ask(10); got != 0 {
		t.Errorf("%d more with 39", got)
	}
	first(1)
	if got := ask(10); got != 1 {
		t.Errorf("%d more with 40, want one", got)
	}
	c.Add(5 * time.Second)
	first(100)
	if got := ask(100); got != 10 {
		t.Errorf("%d more with 140, want 10", got)
	}
	c.Add(5 * time.Second)
	if got := ask(100); got != 0 {
		t.Errorf("%d more when the first forty are old, want none", got)
	}
	c.Add(4 * time.Second)
	if got := ask(100); got != 0 {
		t.Errorf("%d more just before", got)
	}
	c.Add(time.Second)
	if got := ask(100); got != 3 {
		t.Errorf("%d when all is old, want the floor", got)
	}
	none := (*Budget)(nil)
	none.First()
	if none.Allow() {
		t.Error("no budget allows")
	}
	if hedges := NewBudget(c, HedgeRatio, 0); hedges.Allow() {
		t.Error("a hedge before the first call")
	}
}

// TestBudgetLateCount holds that a goroutine which was held up for a whole
// window does not undo what was counted since.
func TestBudgetLateCount(t *testing.T) {
	c := newClock()
	b := NewBudget(c, 0.1, 0)
	late := b.second()
	c.Add(budgetSeconds * time.Second)
	for range 10 {
		b.First()
	}
	b.count(late, 1)
	if !b.Allow() {
		t.Error("the first calls are forgotten")
	}
}

// TestBudgetAtOnce asks from many goroutines while others count.
func TestBudgetAtOnce(t *testing.T) {
	b := NewBudget(newClock(), 0.1, 0)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 500 {
				b.First()
				if b.Allow() {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	for b.Allow() {
		allowed.Add(1)
	}
	if got := allowed.Load(); got != 1000 {
		t.Errorf("%d of 10000 calls, want 1000", got)
	}
}

// TestBudgetOverTime holds the share over random loads: in no ten seconds is
// it exceeded by more than the load before them allows.
func TestBudgetOverTime(t *testing.T) {
	for seed := range uint64(20) {
		rnd := seeded(seed)
		c := newClock()
		b := NewBudget(c, 0.1, 3)
		var first, extra [200]int
		for second := range first {
			rate := rnd.IntN(1 << rnd.IntN(8))
			for range rate {
				b.First()
				first[second]++
				for range rnd.IntN(3) {
					if b.Allow() {
						extra[second]++
					}
				}
			}
			f, e := 0, 0
			for s := max(0, second-budgetSeconds+1); s <= second; s++ {
				f, e = f+first[s], e+extra[s]
			}
			// What was allowed stays in the window when its reasons have left.
			before := 0
			for s := max(0, second-2*budgetSeconds+2); s <= second; s++ {
				before += first[s]
			}
			if float64(e) > max(3, 0.1*float64(before)) || extra[second] > 0 && float64(e) > max(3, 0.1*float64(f)) {
				t.Fatalf("seed %d: %d extra calls of %d in the ten seconds to %d", seed, e, f, second)
			}
			c.Add(time.Second)
		}
	}
}

// TestStorm is an upstream that answers only 503 for five minutes, at 200
// requests a second each of which wants to be retried: it must see no more
// than a tenth more of them; when it heals, that is noticed within ten
// seconds. Once with no other target, so that it is called although it is
// down, and once with another, so that it is called only when it may.
func TestStorm(t *testing.T) {
	const (
		rate    = 200
		outage  = 300 * time.Second
		between = time.Second / rate
	)
	for _, alone := range []bool{true, false} {
		for seed := range uint64(2) {
			rnd := seeded(seed)
			c := newClock()
			tracker := New(c, rnd.Float64)
			start := c.Now()
			healed := start.Add(outage)
			requests, calls := 0, 0
			call := func() bool {
				x, ok := tracker.Try(tgt, "", Settings{})
				if !ok {
					if !alone {
						return true // the other answers
					}
					x = tracker.Begin(tgt, "", Settings{})
				}
				calls++
				up := !c.Now().Before(healed)
				if up {
					x.End(good)
				} else {
					x.End(bad)
				}
				return up
			}
			var noticed time.Time
			for ; c.Now().Before(healed.Add(20 * time.Second)); c.Add(between) {
				if c.Now().Equal(healed) {
					if most := rate * 300; requests != most || float64(calls) > 1.1*float64(most) {
						t.Errorf("alone %v: %d calls for %d requests", alone, calls, requests)
					}
					if !alone && calls > 100 {
						t.Errorf("%d calls to a target that is down although there is another", calls)
					}
				}
				requests++
				done := call()
				budget := tracker.Retries(tgt)
				budget.First()
				for range 2 {
					if !done && budget.Allow() {
						done = call()
					}
				}
				if noticed.IsZero() && !c.Now().Before(healed) && tracker.Look(tgt).Healthy {
					noticed = c.Now()
				}
			}
			if noticed.IsZero() || noticed.Sub(healed) > 10*time.Second {
				t.Errorf("alone %v: recovery was noticed at %s", alone, noticed.Sub(healed))
			}
		}
	}
}
