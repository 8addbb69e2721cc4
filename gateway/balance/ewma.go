package balance

import (
	"math"
	"sync"
	"time"
)

// PeakEWMA is a target's latency as [Candidate] wants it: an average that
// jumps up to each peak at once and comes down slowly, with the time constant
// tau. The zero value knows nothing.
type PeakEWMA struct {
	mu    sync.Mutex
	value float64 // nanoseconds; 0: not known
	at    time.Time
}

// tau is how fast old observations lose their weight.
const tau = 10 * time.Second

// Observe notes a latency that was measured at now.
func (e *PeakEWMA) Observe(now time.Time, latency time.Duration) {
	if latency <= 0 {
		latency = 1 // known, and as short as can be
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if x := float64(latency); e.value == 0 || x > e.value {
		e.value = x
	} else {
		w := math.Exp(-max(0, now.Sub(e.at).Seconds()) / tau.Seconds())
		e.value = e.value*w + x*(1-w)
	}
	if now.After(e.at) {
		e.at = now
	}
}

// Value returns the latency to go by at now; 0: not known. While the target
// is idle it sinks towards nothing, so that a target that was once slow is
// tried again; as soon as a call is in flight it is what was observed, so that
// only one call at a time pays for the trial.
func (e *PeakEWMA) Value(now time.Time, inFlight int64) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.value == 0 {
		return 0
	}
	value := e.value
	if inFlight == 0 {
		value *= math.Exp(-max(0, now.Sub(e.at).Seconds()) / tau.Seconds())
	}
	return max(1, time.Duration(value))
}
