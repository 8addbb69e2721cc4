package health

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// State is that of a target's circuit breaker.
type State uint8

// The states.
const (
	// Closed: calls are made.
	Closed State = iota

	// Open: the target is down; calls are made only when there is no other.
	Open

	// HalfOpen: the target may be up again; one call at a time finds out.
	HalfOpen
)

// String is the state's name in reports.
func (s State) String() string { return [...]string{"closed", "open", "half_open"}[s] }

// View is what is known of a target at one moment.
type View struct {
	State State

	// Healthy: the target is closed and has an account that is neither cooling
	// nor disabled.
	Healthy bool

	// Until is when a target that is not healthy may be again; zero if it is.
	Until time.Time

	// Failures is the number of the last failures in a row.
	Failures int

	InFlight int64

	// Latency is the peak-EWMA of the time to the first token: it follows
	// rises at once, falls slowly, and fades while no call waits for its token,
	// so that one that was slow is tried again, by one call. 0: unknown.
	Latency time.Duration

	// P95 of the time to the first token of recent calls; 0: too few.
	P95 time.Duration
}

// target is the state of one target.
type target struct {
	tracker  *Tracker
	key      Target
	provider *provider
	retries  Budget
	inFlight atomic.Int64
	pinned   atomic.Bool // named by the configuration

	mu   sync.Mutex
	gone bool // forgotten; its last calls tell nobody

	// spell counts the changes of state. A call is evidence only of the spell
	// that it began in: a hundred calls in flight when a target goes down are
	// one outage, not a hundred.
	spell uint32

	open      bool
	until     time.Time // when an open target may be probed
	evictions int       // in a row
	recovered time.Time
	run       []time.Time // the failures in a row
	recent    window

	probe   uint32 // the number of the probe that is out; 0: none
	probes  uint32
	probing time.Time // since when

	used     time.Time
	waiting  int // calls whose first token has not come
	latency  latency
	accounts []*account
}

// Look returns what is known of a target. One that was never called is
// healthy, if its provider has a working account.
func (t *Tracker) Look(key Target) View {
	now := t.clock.Now()
	x := t.find(key)
	if x == nil {
		t.mu.RLock()
		p := t.providers[key.Provider]
		t.mu.RUnlock()
		v := View{Healthy: true}
		if p != nil {
			v.Until = p.usable(now, nil)
			v.Healthy = v.Until.IsZero()
		}
		return v
	}
	return x.view(now)
}

func (x *target) view(now time.Time) View {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := View{
		State:    x.state(now),
		Until:    x.provider.usable(now, x.accounts),
		Failures: len(x.run),
		InFlight: x.inFlight.Load(),
		Latency:  x.latency.at(now, x.waiting),
		P95:      x.latency.p95,
	}
	v.Healthy = v.State == Closed && v.Until.IsZero()
	if v.State != Closed && v.Until.Before(x.until) {
		v.Until = x.until
	}
	return v
}

func (x *target) state(now time.Time) State {
	switch {
	case !x.open:
		return Closed
	case now.Before(x.until):
		return Open
	default:
		return HalfOpen
	}
}

// claim takes the place of the probe of a half-open target; 0: it is taken,
// or the target is not half-open.
func (x *target) claim(now time.Time) uint32 {
	if x.state(now) != HalfOpen || x.probe != 0 && now.Sub(x.probing) < probeLease {
		return 0
	}
	x.probes = max(1, x.probes+1)
	x.probe, x.probing = x.probes, now
	return x.probe
}

// succeed notes that a call of spell worked.
func (x *target) succeed(now time.Time, spell uint32) {
	if spell != x.spell {
		return
	}
	x.recent.add(now, false)
	x.run = x.run[:0]
	x.revive(now)
}

// revive closes a target that is open: it has answered.
func (x *target) revive(now time.Time) {
	if x.open {
		x.shut(now)
		x.tell(Change{Kind: TargetHealthy, Target: x.key})
	}
}

// shut forgets what was held against the target.
func (x *target) shut(now time.Time) {
	x.open, x.until, x.probe = false, time.Time{}, 0
	x.run, x.recent = x.run[:0], window{}
	x.recovered = now
	x.spell++
}

// fail notes that a call of spell failed.
func (x *target) fail(now time.Time, c *Call, hint time.Duration, reason string) {
	s := c.settings
	if s.MaxFails < 0 || c.spell != x.spell {
		return
	}
	if x.open {
		// Calls that are made because there is no other target tell as much as
		// probes, but only those after the time is over lengthen it.
		switch {
		case x.state(now) == HalfOpen:
			x.evict(now, hint)
		case hint > 0 && now.Add(hint).After(x.until):
			x.until = now.Add(hint)
		}
		return
	}
	x.recent.add(now, true)
	old := 0
	for old < len(x.run) && now.Sub(x.run[old]) > s.FailDuration {
		old++
	}
	x.run = append(slices.Delete(x.run, 0, old), now)
	if len(x.run) < s.MaxFails {
		if calls, failed := x.recent.sum(now, s.FailDuration); calls < ratioCalls || failed*ratioTimes < calls {
			return
		}
	}
	x.open = true
	x.spell++
	if x.recovered.IsZero() || now.Sub(x.recovered) > s.FailDuration {
		x.evictions = 0 // else it flaps
	}
	x.evict(now, hint)
	x.tell(Change{Kind: TargetUnhealthy, Target: x.key, Until: x.until, Reason: reason})
}

// tell queues a change of the target or of an account's use of it.
func (x *target) tell(c Change) {
	if !x.gone {
		x.tracker.changes.add(c)
	}
}

// evict sets when the target may be probed next.
func (x *target) evict(now time.Time, hint time.Duration) {
	if hint <= 0 {
		hint = backoff(evictions[:], x.evictions, x.tracker.random())
	}
	x.evictions++
	x.until, x.probe = now.Add(hint), 0
}

// idle reports whether nothing would be lost with the target.
func (x *target) idle(now time.Time) bool {
	if x.pinned.Load() || x.inFlight.Load() > 0 {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open || now.Sub(x.used) < idleTime {
		return false
	}
	for _, a := range x.accounts {
		if now.Before(a.coolUntil) {
			return false
		}
	}
	return true
}

// reset forgets all but the speed of the target.
func (x *target) reset(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.accounts {
		a.coolUntil, a.cools, a.quotas = time.Time{}, 0, [Kinds]Quota{}
		a.cooled = now
	}
	x.evictions = 0
	open := x.open
	x.shut(now)
	x.recovered = time.Time{}
	if open {
		x.tell(Change{Kind: TargetHealthy, Target: x.key, Reason: "reset"})
	}
}
