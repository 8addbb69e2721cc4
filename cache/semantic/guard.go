package semantic

// Guard says what two texts must have in common, besides alike vectors, for the
// one's answer to serve the other. A vector says what a text is about; that it
// says the opposite, or the same of another number, hardly moves it.
type Guard uint8

// Guards.
const (
	// GuardWords wants the facts as GuardFacts does, and no word of one text
	// replaced in the other: one may have more words, not both.
	GuardWords Guard = iota

	// GuardFacts wants all numbers, names, negations, quotations, code and words
	// that turn a meaning around in both texts, and what both have in the same
	// order.
	GuardFacts

	// GuardOff leaves all to the vectors.
	GuardOff
)

// Allows reports whether the answer to a text with the features b may serve one
// with the features a.
func (g Guard) Allows(a, b Features) bool { return g.allows(&a, &b) }

func (g Guard) allows(a, b *Features) bool {
	if g == GuardOff {
		return true
	}
	if a.long || b.long {
		return false
	}
	var places [maxTokens]int16 // in b, by the place in a; 0 for none, else one more
	lackingA, lackingB, shared := 0, 0, 0
	x, y := a.marks, b.marks
	for len(x) > 0 || len(y) > 0 {
		// One word in both: how often, whether as a fact.
		var h uint64
		switch {
		case len(y) == 0, len(x) > 0 && x[0]>>markHash < y[0]>>markHash:
			h = x[0] >> markHash
		default:
			h = y[0] >> markHash
		}
		m, factA := same(x, h)
		n, factB := same(y, h)
		switch {
		case (factA || factB) && m != n:
			return false
		case m == 0:
			lackingA++
		case n == 0:
			lackingB++
		default:
			shared++
			if m == n {
				for i := range m {
					places[x[i]&markPlace] = int16(y[i]&markPlace) + 1
				}
			}
		}
		x, y = x[m:], y[n:]
	}
	if g == GuardWords && lackingA > 0 && lackingB > 0 {
		return false
	}
	// Texts that share less than half of their words are translations at best.
	if shared < lackingA || shared < lackingB {
		return false
	}
	last := int16(0)
	for _, place := range places[:len(a.marks)] {
		if place == 0 {
			continue
		}
		if place < last {
			return false
		}
		last = place
	}
	return true
}

// same counts the marks at the start of m that have the hash, and says whether
// one is a fact.
func same(m []uint64, h uint64) (n int, fact bool) {
	for n < len(m) && m[n]>>markHash == h {
		fact = fact || m[n]&markFact != 0
		n++
	}
	return n, fact
}
