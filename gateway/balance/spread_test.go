package balance

import (
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	const times = 20_000
	for _, tt := range []struct {
		name string
		p    Policy
		edit func([]Candidate)
		want []int // of 20,000
	}{
		{"first", First{}, nil, []int{times, 0, 0, 0}},
		{"random", NewRandom(seeded()), nil, []int{5000, 5000, 5000, 5000}},
		{"round_robin", NewRoundRobin(seeded()), nil, []int{5000, 5000, 5000, 5000}},
		{"weighted", NewWeightedRoundRobin(seeded(), []int{5, 3, 2, 0}), nil, []int{10_000, 6000, 4000, 0}},
		{"least_conn ties", NewLeastConn(seeded()), func(c []Candidate) { c[0].InFlight = 1 }, []int{0, 6667, 6667, 6667}},
		{"least_cost", NewLeastCost(seeded()), func(c []Candidate) { c[1].Cost, c[2].Cost = 7, 5 }, []int{0, 0, times, 0}},
		{"least_cost, free", NewLeastCost(seeded()), func(c []Candidate) { c[1].Cost, c[2].Cost = 0, 5 }, []int{0, times, 0, 0}},
		{"least_cost, equal costs", NewLeastCost(seeded()), func(c []Candidate) { c[1].Cost, c[2].Cost, c[3].Cost, c[3].InFlight = 5, 5, 5, 1 }, []int{0, 10_000, 10_000, 0}},
		{"least_cost, none known", NewLeastCost(seeded()), func(c []Candidate) { c[3].Cost, c[3].InFlight, c[0].InFlight = -9, 3, 3 }, []int{0, 10_000, 10_000, 0}},
		// Two of four are compared, so the best is in half of the draws.
		{"least_latency", NewLeastLatency(seeded()), func(c []Candidate) {
			for i := range c {
				c[i].Latency = 1000 + 1000*int64Duration(i)
			}
		}, []int{10_000, 6667, 3333, 0}},

		// A tenth of the quota is where sparing begins.
		{"random, nearly spent", NewRandom(seeded()), func(c []Candidate) { c[0].Headroom, c[1].Headroom = 0.1, 0 }, []int{6667, 0, 6667, 6667}},
		{"least_conn, nearly spent", NewLeastConn(seeded()), func(c []Candidate) { c[0].Headroom = 0.025; busy(c[1:], 1) }, []int{5000, 5000, 5000, 5000}},
		{"least_cost, nearly spent", NewLeastCost(seeded()), func(c []Candidate) { c[0].Cost, c[0].Headroom, c[1].Cost = 1, 0.05, 2 }, []int{10_000, 10_000, 0, 0}},
		{"weighted, nearly spent", NewWeightedRoundRobin(seeded(), []int{1, 1, 0, 0}), func(c []Candidate) { c[0].Headroom = 0 }, []int{0, times, 0, 0}},
		{"weighted, all spent", NewWeightedRoundRobin(seeded(), []int{1, 1, 0, 0}), func(c []Candidate) { c[0].Headroom, c[1].Headroom, c[1].InFlight = 0, -1, 0 }, []int{times, 0, 0, 0}},
		{"round_robin, nearly spent", NewRoundRobin(seeded()), func(c []Candidate) { c[2].Headroom = 0 }, []int{6667, 6667, 0, 6667}},
		{"least_latency, nearly spent", NewLeastLatency(seeded()), func(c []Candidate) {
			for i := range c {
				c[i].Latency = 1000
			}
			c[0].Headroom = 0
		}, []int{0, 6667, 6667, 6667}},
		{"random, all spent", NewRandom(seeded()), func(c []Candidate) {
			for i := range c {
				c[i].Headroom = 0
			}
		}, []int{5000, 5000, 5000, 5000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			candidates := offer(4)
			if tt.edit != nil {
				tt.edit(candidates)
			}
			got := tally(tt.p, candidates, &Request{}, times)
			for i, want := range tt.want {
				if !near(got[i], want) || want == 0 && got[i] != 0 {
					t.Fatalf("picked %v, want about %v", got[:4], tt.want)
				}
			}
		})
	}
}

func busy(candidates []Candidate, n int64) {
	for i := range candidates {
		candidates[i].InFlight = n
	}
}

// TestSmooth holds the order that nginx documents: a heavy target's turns are
// spread over the round.
func TestSmooth(t *testing.T) {
	p := NewWeightedRoundRobin(func() uint64 { return 0 }, []int{5, 1, 1})
	candidates := offer(3)
	var order strings.Builder
	for range 14 {
		order.WriteByte("abc"[p.Pick(candidates, nil)])
	}
	if got := order.String(); got != "aabacaa"+"aabacaa" {
		t.Errorf("order %s", got)
	}
}

// TestWeightsWithoutOne holds that the others keep their proportion when one
// is away, and that it finds its own again.
func TestWeightsWithoutOne(t *testing.T) {
	p := NewWeightedRoundRobin(seeded(), []int{4, 2, 1})
	candidates := offer(3)
	if got := tally(p, candidates[1:], nil, 3000); !near(got[1], 2000) || !near(got[2], 1000) {
		t.Errorf("without the first: %v", got[:3])
	}
	if got := tally(p, candidates, nil, 7000); !near(got[0], 4000) || !near(got[1], 2000) {
		t.Errorf("with it again: %v", got[:3])
	}
	if got := tally(NewWeightedRoundRobin(seeded(), []int{4, 0, 0}), candidates[1:], nil, 1000); got[1]+got[2] != 1000 {
		t.Errorf("only weights of zero are offered: %v", got[:3])
	}
}

// TestBeginsAnywhere holds that instances that start together do not all begin
// with the first target.
func TestBeginsAnywhere(t *testing.T) {
	r, candidates := seeded(), offer(4)
	for name, make := range map[string]func() Policy{
		"round_robin":          func() Policy { return NewRoundRobin(r) },
		"weighted_round_robin": func() Policy { return NewWeightedRoundRobin(r, []int{1, 1, 1, 1}) },
	} {
		counts := [4]int{}
		for range 4000 {
			counts[make().Pick(candidates, nil)]++
		}
		for i := range counts {
			if !near(counts[i], 1000) {
				t.Errorf("%s begins at %v", name, counts)
				break
			}
		}
	}
}
