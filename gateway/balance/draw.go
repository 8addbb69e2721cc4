package balance

import "math/bits"

// below returns a number in [0, n), n > 0. The bias of the multiplication, less
// than n in 2⁶⁴, shows in no lifetime.
func (r Rand) below(n int) int {
	hi, _ := bits.Mul64(r(), uint64(n))
	return int(hi)
}

// unit returns a number in [0, 1).
func (r Rand) unit() float64 { return float64(r()>>11) / (1 << 53) }

// reserve is the share of a quota below which a candidate is spared: each
// call finds it with a chance that falls with what is left, so that the quota
// runs out at the reset and not before it.
const reserve = 0.1

// joins draws whether a candidate takes part in a choice.
func (c *Candidate) joins(r Rand) bool {
	return c.Headroom >= reserve || r.unit()*reserve < c.Headroom
}

// roomiest is who gets the call when nobody takes part: the one with most of
// its quota left, of several any.
func roomiest(candidates []Candidate, r Rand) int {
	best, ties := 0, 0
	for i := range candidates {
		switch h := candidates[i].Headroom; {
		case i == 0 || h > candidates[best].Headroom:
			best, ties = i, 1
		case h == candidates[best].Headroom:
			if ties++; r.below(ties) == 0 {
				best = i
			}
		}
	}
	return best
}

// least returns the candidate that less puts before all others, among those
// that take part; of equals any. Equal are two that less puts in no order.
func least(candidates []Candidate, r Rand, less func(a, b *Candidate) bool) int {
	best, ties := -1, 0
	for i := range candidates {
		c := &candidates[i]
		if !c.joins(r) {
			continue
		}
		switch {
		case best < 0 || less(c, &candidates[best]):
			best, ties = i, 1
		case !less(&candidates[best], c):
			if ties++; r.below(ties) == 0 {
				best = i
			}
		}
	}
	if best < 0 {
		return roomiest(candidates, r)
	}
	return best
}
