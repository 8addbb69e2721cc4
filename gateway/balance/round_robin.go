package balance

import (
	"sync"
	"sync/atomic"
)

// RoundRobin is the policy `round_robin`: one after the other.
type RoundRobin struct {
	rand Rand
	next atomic.Uint64
}

// NewRoundRobin returns the policy `round_robin`. It begins anywhere, so that a
// fleet, or an instance that is reloaded often, does not favour the first.
func NewRoundRobin(rand Rand) *RoundRobin {
	p := &RoundRobin{rand: rand}
	p.next.Store(rand())
	return p
}

// Pick implements Policy.
func (p *RoundRobin) Pick(candidates []Candidate, _ *Request) int {
	n := uint64(len(candidates))
	for range candidates {
		i := int(p.next.Add(1) % n)
		if candidates[i].joins(p.rand) {
			return i
		}
	}
	return roomiest(candidates, p.rand)
}

// WeightedRoundRobin is the policy `weighted_round_robin`: smooth, as nginx
// has it, so that 3 1 makes A A B A and not A A A B. A candidate of weight 0
// gets a call only when no other is offered.
type WeightedRoundRobin struct {
	rand    Rand
	weights []int64

	// mu guards current. It is this model's alone and held for a few additions.
	mu      sync.Mutex
	current []int64
}

// NewWeightedRoundRobin returns the policy for targets of these weights, which
// are not negative and of which one is positive.
func NewWeightedRoundRobin(rand Rand, weights []int) *WeightedRoundRobin {
	p := &WeightedRoundRobin{rand: rand, weights: make([]int64, len(weights)), current: make([]int64, len(weights))}
	var total int64
	for i, w := range weights {
		p.weights[i] = int64(w)
		total += int64(w)
	}
	// It begins anywhere in its first rounds, for the reason that round_robin
	// does.
	all := make([]Candidate, len(weights))
	for i := range all {
		all[i] = Candidate{Index: i, Headroom: 1}
	}
	if total > 0 {
		for range rand.below(int(min(total, maxWarmUp))) {
			p.Pick(all, nil)
		}
	}
	return p
}

// maxWarmUp bounds the rounds that large weights could ask for.
const maxWarmUp = 1024

// Pick implements Policy.
func (p *WeightedRoundRobin) Pick(candidates []Candidate, _ *Request) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	best, total := -1, int64(0)
	for i := range candidates {
		c := &candidates[i]
		weight := p.weight(c)
		if weight == 0 || !c.joins(p.rand) {
			continue
		}
		p.current[c.Index] += weight
		total += weight
		if best < 0 || p.current[c.Index] > p.current[candidates[best].Index] {
			best = i
		}
	}
	if best >= 0 {
		p.current[candidates[best].Index] -= total
		return best
	}
	return p.lastResort(candidates)
}

// lastResort picks when no candidate of a weight takes part: the roomiest of
// those that have one, else of all.
func (p *WeightedRoundRobin) lastResort(candidates []Candidate) int {
	best := -1
	for i := range candidates {
		if p.weight(&candidates[i]) > 0 && (best < 0 || candidates[i].Headroom > candidates[best].Headroom) {
			best = i
		}
	}
	if best < 0 {
		return roomiest(candidates, p.rand)
	}
	return best
}

func (p *WeightedRoundRobin) weight(c *Candidate) int64 {
	if c.Index < 0 || c.Index >= len(p.weights) {
		return 0
	}
	return p.weights[c.Index]
}

// Interface guards.
var (
	_ Policy = (*RoundRobin)(nil)
	_ Policy = (*WeightedRoundRobin)(nil)
)
