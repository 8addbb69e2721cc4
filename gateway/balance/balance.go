// Package balance chooses among the targets that a call may go to. Policies
// look at what is offered and at the request, and keep no more state than a
// cursor; who is healthy is decided before, what becomes of the call after.
package balance

import (
	"net/http"
	"time"
)

// Candidate is a target, or an account of a provider, that a call may go to
// now. Only usable ones are offered.
type Candidate struct {
	// Name is what hashing policies hash, such as "openai/gpt-4.1". It must
	// not change from call to call.
	Name string

	// Index is its place in the configured list, which weights refer to.
	Index int

	// InFlight is the number of calls under way.
	InFlight int64

	// Latency is the peak-EWMA of its time to first token; 0: not known yet.
	Latency time.Duration

	// Cost is what the call would cost there at most, in nano-dollars;
	// negative: not known.
	Cost int64

	// Headroom is the share of the upstream's learned quota that is left, 0 to
	// 1; 1 where no quota is known.
	Headroom float64
}

// Request is what policies may look at.
type Request struct {
	Header http.Header
	Host   string

	// ClientIP is the caller's address without a port, Key the principal;
	// empty when there is none.
	ClientIP string
	Key      string

	// Cookies takes a cookie; nil when nothing can be set, for example because
	// the headers are out. Secure says that the client's own connection is
	// encrypted.
	Cookies Cookies
	Secure  bool
}

// Cookies hands the client a cookie, in place of one of the same name that an
// earlier attempt has set.
type Cookies interface {
	SetCookie(*http.Cookie)
}

// Policy picks one of candidates, of which there is at least one, by its index
// in the slice. It is safe for concurrent use and does not keep the slice.
type Policy interface {
	Pick(candidates []Candidate, r *Request) int
}

// Rand is a source of random bits, safe for concurrent use, such as
// math/rand/v2's Uint64, which takes no lock.
type Rand func() uint64

// First is the policy `first`: the first candidate that is offered.
type First struct{}

// Pick implements Policy.
func (First) Pick([]Candidate, *Request) int { return 0 }

// Interface guards.
var _ Policy = First{}
