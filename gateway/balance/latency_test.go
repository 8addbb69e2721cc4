package balance

import (
	"testing"
	"time"
)

func int64Duration(i int) time.Duration { return time.Duration(i) }

func TestLoadCounts(t *testing.T) {
	candidates := offer(2)
	candidates[0].Latency, candidates[1].Latency = 100*time.Millisecond, 250*time.Millisecond
	p := NewLeastLatency(seeded())
	for load, want := range []int{0, 0, 1} {
		candidates[0].InFlight = int64(load)
		if got := p.Pick(candidates, nil); got != want {
			t.Errorf("with %d calls at the quicker one: picked %d", load, got)
		}
	}
}

// TestUnknownLatency holds that a new target is tried at once, and that a rush
// does not end up there before its first answer.
func TestUnknownLatency(t *testing.T) {
	candidates := offer(4)
	for i := range candidates[1:] {
		candidates[i+1].Latency = 100 * time.Millisecond
	}
	p := NewLeastLatency(seeded())
	for i := range 400 { // no call ends
		picked := p.Pick(candidates, nil)
		candidates[picked].InFlight++
		if i == 10 && candidates[0].InFlight == 0 {
			t.Error("the new one was not tried")
		}
	}
	// Twice as slow as the others by assumption, so half of their calls.
	if n := candidates[0].InFlight; n < 20 || n > 70 {
		t.Errorf("%d of 400 calls went to the new one", n)
	}
	fresh := offer(3)
	for range 300 {
		fresh[p.Pick(fresh, nil)].InFlight++
	}
	for _, c := range fresh {
		if !near(int(c.InFlight), 100) {
			t.Errorf("nothing is known of any, and one got %d of 300", c.InFlight)
		}
	}
}

func TestPeakEWMA(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var e PeakEWMA
	want := func(when string, inFlight int64, low, high time.Duration) {
		t.Helper()
		if got := e.Value(now, inFlight); got < low || got > high {
			t.Errorf("%s: %s, want %s to %s", when, got, low, high)
		}
	}
	want("at first", 0, 0, 0)
	e.Observe(now, 0)
	want("no time at all", 1, 1, 1)
	e.Observe(now, 100*time.Millisecond)
	want("a peak is taken over", 1, 100*time.Millisecond, 100*time.Millisecond)
	now = now.Add(tau)
	e.Observe(now, 50*time.Millisecond)
	want("and forgotten slowly", 1, 65*time.Millisecond, 70*time.Millisecond)
	e.Observe(now, 2*time.Second)
	want("the next peak", 1, 2*time.Second, 2*time.Second)
	now = now.Add(5 * tau)
	want("idle", 0, 10*time.Millisecond, 15*time.Millisecond)
	want("while one call tries", 1, 2*time.Second, 2*time.Second)
	e.Observe(now.Add(-time.Hour), 2*time.Second)
	want("a late report does not turn time back", 0, 10*time.Millisecond, 15*time.Millisecond)
	now = now.Add(1000 * tau)
	want("known for ever", 0, 1, 1)
}
