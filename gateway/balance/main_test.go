package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// seeded is a source that always says the same, for tests of one goroutine.
func seeded() Rand { return rand.New(rand.NewPCG(1, 2)).Uint64 }

// offer is n candidates that nothing tells apart.
func offer(n int) []Candidate {
	list := make([]Candidate, n)
	for i := range list {
		list[i] = Candidate{Name: fmt.Sprintf("provider-%d/model", i), Index: i, Cost: -1, Headroom: 1}
	}
	return list
}

// tally counts what a policy picks, by Index.
func tally(p Policy, candidates []Candidate, r *Request, times int) []int {
	counts := make([]int, 32)
	for range times {
		counts[candidates[p.Pick(candidates, r)].Index]++
	}
	return counts
}

// near reports whether got is within a tenth, and some noise, of want.
func near(got, want int) bool { return got > want*9/10-20 && got < want*11/10+20 }

// every is each policy over n targets, for what holds for all of them.
func every(n int, r Rand) map[string]Policy {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = i + 1
	}
	random := NewRandom(r)
	return map[string]Policy{
		"first":                   First{},
		"random":                  random,
		"round_robin":             NewRoundRobin(r),
		"weighted_round_robin":    NewWeightedRoundRobin(r, weights),
		"least_conn":              NewLeastConn(r),
		"least_latency":           NewLeastLatency(r),
		"least_cost":              NewLeastCost(r),
		"header":                  NewHeaderHash("x-session", nil, random),
		"header weighted":         NewHeaderHash("x-session", weights, random),
		"cookie":                  NewCookie("lb", "secret", 0, random),
		"client_ip_hash":          NewClientIPHash(nil, random),
		"key_hash":                NewKeyHash(nil, random),
		"key_hash round_robin":    NewKeyHash(nil, NewRoundRobin(r)),
		"key_hash weighted":       NewKeyHash(weights, random),
		"client_ip_hash weighted": NewClientIPHash(weights, random),
	}
}
