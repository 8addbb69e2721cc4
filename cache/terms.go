package cache

import "time"

// MaxLife is the longest that an answer is kept. Marks of purges that are older
// can be forgotten, since no answer is from before them.
const MaxLife = 30 * 24 * time.Hour

// Terms say how long answers serve. They are those of the request that asks, not
// of the one that brought the answer: shorter ones take effect at once on all
// that is kept.
type Terms struct {
	// TTL is how long an answer is fresh.
	TTL time.Duration

	// Jitter is by how many percent of TTL an answer is fresh for less, at most.
	// How many it is depends on the key, so that what was made at once does not
	// expire at once.
	Jitter int

	// Revalidate is how long after TTL an answer may serve while a new one is
	// made, IfError how long when none can be had.
	Revalidate, IfError time.Duration
}

// State is what an answer of some age is good for.
type State int

// The states, in the order of age.
const (
	// Fresh answers serve.
	Fresh State = iota
	// Revalidate: it serves once more, and a new one is made.
	Revalidate
	// IfError: it serves when no new one can be had.
	IfError
	// Expired answers do not serve.
	Expired
)

// Lifetime is how long the answer of key is fresh.
func (t Terms) Lifetime(key Key) time.Duration {
	jitter := min(max(t.Jitter, 0), 100)
	return t.TTL - time.Duration(float64(t.TTL)*float64(jitter)/100*key.spread())
}

// State says what the answer of key is good for at an age.
func (t Terms) State(key Key, age time.Duration) State {
	late := age - t.Lifetime(key)
	switch {
	case late < 0:
		return Fresh
	case late < t.Revalidate:
		return Revalidate
	case late < t.IfError:
		return IfError
	default:
		return Expired
	}
}

// Keep is how long an answer is stored.
func (t Terms) Keep() time.Duration {
	return min(max(t.TTL, 0)+max(t.Revalidate, t.IfError, 0), MaxLife)
}
