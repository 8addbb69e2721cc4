package balance

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/http"
)

// Hash is the policies `header`, `client_ip_hash` and `key_hash`: requests of
// one session go to the same candidate, so that its prompt cache stays warm.
// It is weighted rendezvous hashing (highest random weight): every instance of
// a fleet chooses alike, and when a candidate is gone only its own sessions
// move, each to where its next-highest weight is.
type Hash struct {
	value    func(*Request) string
	weights  []float64 // by Candidate.Index; nil: all the same
	fallback Policy
}

// NewHeaderHash returns the policy `header`, for the field name. fallback
// chooses for requests that have no such field. weights may be nil.
func NewHeaderHash(name string, weights []int, fallback Policy) *Hash {
	name = http.CanonicalHeaderKey(name)
	value := func(r *Request) string {
		// The map is read directly: Get would look for the canonical form anew.
		if values := r.Header[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	if name == "Host" { // which net/http keeps apart
		value = func(r *Request) string { return r.Host }
	}
	return newHash(value, weights, fallback)
}

// NewClientIPHash returns the policy `client_ip_hash`.
func NewClientIPHash(weights []int, fallback Policy) *Hash {
	return newHash(func(r *Request) string { return r.ClientIP }, weights, fallback)
}

// NewKeyHash returns the policy `key_hash`.
func NewKeyHash(weights []int, fallback Policy) *Hash {
	return newHash(func(r *Request) string { return r.Key }, weights, fallback)
}

func newHash(value func(*Request) string, weights []int, fallback Policy) *Hash {
	p := &Hash{value: value, fallback: fallback}
	for _, w := range weights {
		p.weights = append(p.weights, float64(w))
	}
	return p
}

// Pick implements Policy.
func (p *Hash) Pick(candidates []Candidate, r *Request) int {
	value := p.value(r)
	if value == "" {
		return p.fallback.Pick(candidates, r)
	}
	seed := digest(value, 0)
	if p.weights != nil {
		return p.pickWeighted(candidates, seed)
	}
	best, top := 0, uint64(0)
	for i := range candidates {
		if score := digest(candidates[i].Name, seed); i == 0 || score > top {
			best, top = i, score
		}
	}
	return best
}

// pickWeighted uses the logarithmic method: -w/ln(u), with u uniform in (0, 1),
// is highest for each candidate in proportion to its w, and does not depend on
// the others.
func (p *Hash) pickWeighted(candidates []Candidate, seed uint64) int {
	best, top := 0, -1.0
	for i := range candidates {
		c := &candidates[i]
		u := (float64(digest(c.Name, seed)>>11) + 0.5) / (1 << 53)
		weight := 0.0
		if c.Index >= 0 && c.Index < len(p.weights) {
			weight = p.weights[c.Index]
		}
		if score := -weight / math.Log(u); score > top {
			best, top = i, score
		}
	}
	return best
}

// digest is a hash of s that depends on seed: folded multiplications of eight
// bytes at a time. It is the same in every process, on every machine, and is
// no defence against those who look for collisions: who chooses a session's
// name may choose its target.
func digest(s string, seed uint64) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xe7037ed1a0b428db
	h := seed ^ k0 ^ uint64(len(s))
	var tail [8]byte
	for len(s) > 8 {
		copy(tail[:], s)
		h = fold(h^binary.LittleEndian.Uint64(tail[:]), k1)
		s = s[8:]
	}
	tail = [8]byte{}
	copy(tail[:], s)
	h = fold(h^binary.LittleEndian.Uint64(tail[:]), k1)
	// The finaliser of MurmurHash3 spreads what little a short name differs by.
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a
}

// Interface guards.
var _ Policy = (*Hash)(nil)
