package balance

// Random is the policy `random`: any candidate, those whose quota is nearly
// spent less often.
type Random struct{ rand Rand }

// NewRandom returns the policy `random`.
func NewRandom(rand Rand) *Random { return &Random{rand} }

// Pick implements Policy.
func (p *Random) Pick(candidates []Candidate, _ *Request) int {
	return least(candidates, p.rand, func(_, _ *Candidate) bool { return false })
}

// LeastConn is the policy `least_conn`: the fewest calls in flight, of equals
// any.
type LeastConn struct{ rand Rand }

// NewLeastConn returns the policy `least_conn`.
func NewLeastConn(rand Rand) *LeastConn { return &LeastConn{rand} }

// Pick implements Policy.
func (p *LeastConn) Pick(candidates []Candidate, _ *Request) int {
	return least(candidates, p.rand, lessLoaded)
}

func lessLoaded(a, b *Candidate) bool { return a.InFlight < b.InFlight }

// LeastCost is the policy `least_cost`: the cheapest whose cost is known, else
// one whose cost is not; of equals the one with the fewest calls in flight, of
// those any.
type LeastCost struct{ rand Rand }

// NewLeastCost returns the policy `least_cost`.
func NewLeastCost(rand Rand) *LeastCost { return &LeastCost{rand} }

// Pick implements Policy.
func (p *LeastCost) Pick(candidates []Candidate, _ *Request) int {
	return least(candidates, p.rand, cheaper)
}

func cheaper(a, b *Candidate) bool {
	// As unsigned, every negative cost is above every known one; which
	// negative number says "not known" must not matter.
	x, y := uint64(max(a.Cost, -1)), uint64(max(b.Cost, -1))
	if x != y {
		return x < y
	}
	return lessLoaded(a, b)
}

// Interface guards.
var (
	_ Policy = (*Random)(nil)
	_ Policy = (*LeastConn)(nil)
	_ Policy = (*LeastCost)(nil)
)
