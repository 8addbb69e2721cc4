// Package capacity counts the calls that each provider is being sent, so that
// one with a bound is sent no more at a time. It outlives configurations: what
// a reload leaves running still takes its place.
package capacity

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway/queue"
)

// Bound is how much a provider is sent at a time.
type Bound struct {
	// MaxInFlight is the number of calls; 0 for no bound.
	MaxInFlight int

	// Queue is how long a call may wait for a place; 0 for not at all. Length
	// is how many may; 0 for queue.DefaultLength.
	Queue  time.Duration
	Length int
}

// Set is the gates of all providers. It is safe for concurrent use.
type Set struct {
	queues *queue.Set
	gates  sync.Map // string → *Gate
}

// NewSet returns a set in which nothing is under way. Who waits for a place
// does so in queues.
func NewSet(queues *queue.Set) *Set { return &Set{queues: queues} }

// Gate is a provider's gate. Names come from configurations, so there are few.
func (s *Set) Gate(provider string) *Gate {
	g, ok := s.gates.Load(provider)
	if !ok {
		fresh := &Gate{set: s, name: provider, key: "provider:" + provider}
		fresh.bound.Store(unknown)
		g, _ = s.gates.LoadOrStore(provider, fresh)
	}
	return g.(*Gate)
}

// Configure tells the bounds of the configuration that runs now: the calls of
// earlier ones that still wait are let in by these too.
func (s *Set) Configure(bounds map[string]Bound) {
	for name := range bounds {
		s.Gate(name)
	}
	s.gates.Range(func(_, value any) bool {
		g := value.(*Gate)
		bound := int64(unknown)
		if b, ok := bounds[g.name]; ok {
			bound = int64(b.MaxInFlight)
		}
		if g.bound.Swap(bound) != bound {
			s.queues.Wake(g.key)
		}
		return true
	})
}

// Each tells of every provider that the running configuration has, or that is
// still being called.
func (s *Set) Each(do func(provider string, inFlight, waiting int64)) {
	s.gates.Range(func(_, value any) bool {
		g := value.(*Gate)
		inFlight, waiting := g.inFlight.Load(), g.waiting.Load()
		if g.bound.Load() != unknown || inFlight > 0 || waiting > 0 {
			do(g.name, inFlight, waiting)
		}
		return true
	})
}

// Gate counts the calls to one provider.
type Gate struct {
	set      *Set
	name     string
	key      string // of its queue
	inFlight atomic.Int64
	waiting  atomic.Int64

	// bound is what the running configuration says.
	bound atomic.Int64
}

// unknown is the bound of a provider that the running configuration has not
// got: the caller's own holds.
const unknown = -1

func (g *Gate) limit(own *Bound) int64 {
	if bound := g.bound.Load(); bound != unknown {
		return bound
	}
	return int64(own.MaxInFlight)
}

// Enter takes a place if there is one. own is the bound as the caller's
// configuration has it. A place must be given back with Leave.
func (g *Gate) Enter(own *Bound) bool {
	for {
		n, limit := g.inFlight.Load(), g.limit(own)
		if limit > 0 && n >= limit {
			return false
		}
		if g.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave gives a place back.
func (g *Gate) Leave() {
	g.inFlight.Add(-1)
	g.set.queues.Wake(g.key)
}

// Full reports whether a call would have to wait: no place is free, or others
// wait for one.
func (g *Gate) Full(own *Bound) bool {
	limit := g.limit(own)
	return limit > 0 && (g.inFlight.Load() >= limit || g.set.queues.Busy(g.key))
}

// Join takes a place in the line of those who wait. The error is
// [queue.ErrFull]. Who has joined must call Left, after the ticket's end.
func (g *Gate) Join(r queue.Request) (t *queue.Ticket, position int, err error) {
	if t, position, err = g.set.queues.Join(g.key, r); err == nil {
		g.waiting.Add(1)
	}
	return t, position, err
}

// Left ends what Join began.
func (g *Gate) Left() { g.waiting.Add(-1) }

// State is what messages say of the gate: its bound, and how many wait.
func (g *Gate) State(own *Bound) (bound, waiting int64) { return g.limit(own), g.waiting.Load() }
