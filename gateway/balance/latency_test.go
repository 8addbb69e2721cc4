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
