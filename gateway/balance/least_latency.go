package balance

// LeastLatency is the policy `least_latency`: of two candidates drawn at
// random, the one with the lower product of latency and load. Comparing two
// instead of all keeps a fleet of gateways from falling upon the same best
// target at once.
type LeastLatency struct{ rand Rand }

// NewLeastLatency returns the policy `least_latency`.
func NewLeastLatency(rand Rand) *LeastLatency { return &LeastLatency{rand} }

// Pick implements Policy.
func (p *LeastLatency) Pick(candidates []Candidate, _ *Request) int {
	a, b := p.two(candidates)
	switch {
	case a < 0:
		return roomiest(candidates, p.rand)
	case b < 0:
		return a
	case quicker(&candidates[b], &candidates[a]):
		return b
	default:
		return a
	}
}

// two draws two different candidates of those that take part, in random order;
// -1 where there is none.
func (p *LeastLatency) two(candidates []Candidate) (a, b int) {
	if len(candidates) > 2 {
		// Nearly always both of the first draw take part.
		a = p.rand.below(len(candidates))
		b = p.rand.below(len(candidates) - 1)
		if b >= a {
			b++
		}
		if candidates[a].Headroom >= reserve && candidates[b].Headroom >= reserve {
			return a, b
		}
	}
	a, b = -1, -1
	seen := 0
	for i := range candidates {
		if !candidates[i].joins(p.rand) {
			continue
		}
		seen++
		switch {
		case seen == 1:
			a = i
		case seen == 2:
			b = i
		default: // a reservoir of two
			switch p.rand.below(seen) {
			case 0:
				a = i
			case 1:
				b = i
			}
		}
	}
	if b >= 0 && p.rand()&1 == 0 {
		a, b = b, a
	}
	return a, b
}

// quicker reports whether a beats b. A candidate that nothing is known of is
// tried at once, but by one call at a time: while that call is out, it counts
// as twice as slow as the other, so that a rush does not end up there.
func quicker(a, b *Candidate) bool {
	x, y := float64(a.Latency), float64(b.Latency)
	switch {
	case x == 0 && y == 0:
		return a.InFlight < b.InFlight
	case x == 0 && a.InFlight == 0:
		return true
	case y == 0 && b.InFlight == 0:
		return false
	case x == 0:
		x = unknownFactor * y
	case y == 0:
		y = unknownFactor * x
	}
	return x*float64(a.InFlight+1) < y*float64(b.InFlight+1)
}

const unknownFactor = 2

// Interface guards.
var _ Policy = (*LeastLatency)(nil)
