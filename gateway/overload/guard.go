// Package overload refuses new requests, those that matter least first, before
// the gateway itself runs out of memory or of time to run. What upstreams take
// is none of its business.
package overload

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway/queue"
)

// Settings are what counts as too much. A field that is 0 is not looked at.
type Settings struct {
	// MaxInFlight is how many requests are served at a time; see Room.
	MaxInFlight int

	// MaxMemory is in bytes, of what cannot be collected as garbage.
	MaxMemory int64

	// TargetLatency is how long a goroutine that could run waits for a processor,
	// at the 99th percentile.
	TargetLatency time.Duration
}

// Reason is what there was too much of. It is a metric's label.
type Reason string

// The reasons.
const (
	InFlight Reason = "in_flight"
	Memory   Reason = "memory"
	Latency  Reason = "latency"
)

// Episode is a time in which requests were refused.
type Episode struct {
	// Over is false when it begins, with the first refusal, and true when it has
	// ended.
	Over   bool
	Reason Reason // of the first refusal

	// Lasted and Shed are how long it was, and how many it refused.
	Lasted time.Duration
	Shed   int64
}

const (
	// every is how often the machine is looked at.
	every = 100 * time.Millisecond

	// sustained is how many looks in a row have to find too much before anybody
	// is refused for it: a burst is over sooner.
	sustained = 5

	// The share of all arrivals that is refused grows by a tenth of what is still
	// let in with each look that finds too much, and shrinks by a fiftieth with
	// each that finds clearly less.
	grow   = 0.10
	shrink = 0.02

	// calm is how long nobody has to be refused for an episode to end.
	calm = 5 * time.Second
)

// Guard watches one process. It is safe for concurrent use.
type Guard struct {
	clock  queue.Clock
	random func() float64
	sample func() Sample
	told   func(Episode)

	settings atomic.Pointer[Settings]
	inFlight atomic.Int64
	next     atomic.Int64 // when to look again, in Unix nanoseconds
	arrived  [classes]atomic.Int64
	plan     atomic.Pointer[plan]

	mu      sync.Mutex
	rates   [classes]float64 // arrivals in recent times
	share   float64
	high    int // looks in a row that found too much
	reason  Reason
	began   time.Time // of the episode; zero for none
	last    time.Time // of the last refusal
	shed    int64
	cause   Reason
	collect time.Time
}

// classes is the number of queue's classes.
const classes = int(queue.Batch-queue.Critical) + 1

// New returns a guard that lets everybody in until it is configured. sample
// looks at the process, told hears of episodes, on a goroutine that holds no
// lock.
func New(clock queue.Clock, random func() float64, sample func() Sample, told func(Episode)) *Guard {
	g := &Guard{clock: clock, random: random, sample: sample, told: told}
	g.settings.Store(&Settings{})
	g.plan.Store(&plan{})
	return g
}

// Configure replaces the settings.
func (g *Guard) Configure(s Settings) { g.settings.Store(&s) }

// Share is which share of all requests is refused for what the last looks have
// found, 0 to 1.
func (g *Guard) Share() float64 { return g.plan.Load().share }

// Enter lets a request in, or says what there is too much of. Who is let in must
// Leave.
func (g *Guard) Enter(class queue.Class) (reason Reason, ok bool) {
	i := index(class)
	g.arrived[i].Add(1)
	s := g.settings.Load()
	if s.MaxMemory > 0 || s.TargetLatency > 0 || g.Share() > 0 {
		g.look()
	}
	if p := g.plan.Load(); p.refuse[i] > 0 && g.random() < p.refuse[i] {
		g.refused(p.reason)
		return p.reason, false
	}
	room := int64(Room(s.MaxInFlight, class))
	for {
		n := g.inFlight.Load()
		if room > 0 && n >= room {
			g.refused(InFlight)
			return InFlight, false
		}
		if g.inFlight.CompareAndSwap(n, n+1) {
			return "", true
		}
	}
}

// Leave lets a request out that was let in.
func (g *Guard) Leave() { g.inFlight.Add(-1) }

// Room is how many requests may be in flight for one more of class to be let in:
// all for critical ones, a twentieth less for each class below, so that those
// below never take the last places.
func Room(most int, class queue.Class) int {
	if most <= 0 {
		return 0
	}
	return max(1, most-(most*index(class)+19)/20)
}

func index(class queue.Class) int {
	return int(min(max(class, queue.Critical), queue.Batch) - queue.Critical)
}

// refused notes a refusal. The first begins an episode.
func (g *Guard) refused(reason Reason) {
	now := g.clock.Now()
	g.mu.Lock()
	g.last = now
	g.shed++
	first := g.began.IsZero()
	if first {
		g.began, g.cause, g.shed = now, reason, 1
		g.clock.AfterFunc(time.Second, g.watch)
	}
	g.mu.Unlock()
	if first {
		g.told(Episode{Reason: reason})
	}
}

// watch looks on while an episode lasts: nobody may come any more who would.
func (g *Guard) watch() {
	g.look()
	now := g.clock.Now()
	g.mu.Lock()
	if now.Sub(g.last) < calm || g.share > 0 {
		g.clock.AfterFunc(time.Second, g.watch)
		g.mu.Unlock()
		return
	}
	e := Episode{Over: true, Reason: g.cause, Lasted: g.last.Sub(g.began), Shed: g.shed}
	g.began, g.shed = time.Time{}, 0
	g.mu.Unlock()
	g.told(e)
}
