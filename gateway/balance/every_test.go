package balance

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// session is a request that every policy finds something in.
func session(name string, candidate string) *Request {
	cookie := NewCookie("lb", "secret", 0, First{}).cookie(candidate, false)
	return &Request{
		Header:   http.Header{"X-Session": {name}, "Cookie": {"a=b; " + cookie.Name + "=" + cookie.Value}},
		ClientIP: name, Key: name,
	}
}

// TestOddOffers holds that every policy picks something of whatever is offered:
// one, those that weights or quotas speak against, those that no weight is of.
func TestOddOffers(t *testing.T) {
	odd := map[string][]Candidate{
		"one":            offer(1),
		"the last":       offer(5)[4:],
		"no quota left":  offer(5),
		"no such index":  {{Name: "x", Index: 99, Headroom: 1}, {Name: "y", Index: -1}},
		"all is zero":    make([]Candidate, 3),
		"out of order":   {{Index: 3, Headroom: 1}, {Index: 0, Headroom: 0.01}, {Index: 2}},
		"overflow":       {{Latency: 1 << 62, InFlight: 1 << 62, Cost: 1 << 62}, {Latency: 1 << 62, InFlight: 1 << 62, Cost: -1 << 62}},
		"negative costs": {{Cost: -5, Headroom: -1}, {Cost: -1, Headroom: -2}},
	}
	for i := range odd["no quota left"] {
		odd["no quota left"][i].Headroom = 0
	}
	for name, p := range every(5, seeded()) {
		for kind, candidates := range odd {
			for range 50 {
				for _, r := range []*Request{{}, session("s", "provider-1/model")} {
					if i := p.Pick(candidates, r); i < 0 || i >= len(candidates) {
						t.Fatalf("%s, %s: picked %d of %d", name, kind, i, len(candidates))
					}
				}
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	candidates := offer(20)
	for i := range candidates {
		candidates[i].Latency = time.Duration(i) * time.Millisecond
		candidates[i].Headroom = float64(i) / 100
	}
	r := session("a-session-of-some-length", candidates[7].Name)
	for name, p := range every(len(candidates), rand.Uint64) {
		p.Pick(candidates, r) // the cookie's values are made once
		if n := testing.AllocsPerRun(100, func() { p.Pick(candidates, r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	candidates := offer(8)
	for _, p := range every(len(candidates), rand.Uint64) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				r := &Request{Header: http.Header{"Cookie": {"lb=x"}}, Cookies: jar(func(*http.Cookie) {})}
				for range 200 {
					p.Pick(candidates, r)
				}
			})
		}
		wg.Wait()
	}
}

func BenchmarkPick(b *testing.B) {
	candidates := offer(20)
	for i := range candidates {
		candidates[i].Latency = time.Duration(i+1) * time.Millisecond
	}
	r := session("a-session-of-some-length", candidates[7].Name)
	for name, p := range every(len(candidates), rand.Uint64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p.Pick(candidates, r)
				}
			})
		})
	}
}
