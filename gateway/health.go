package gateway

import (
	"sync"
	"time"
)

// Health remembers which targets have been failing, from the calls that were
// made anyway. It outlives configurations, so that a reload does not send
// traffic back to a target that is down. Safe for concurrent use.
type Health struct {
	clock Clock

	mu      sync.Mutex
	targets map[Target]*condition
}

// condition is one target's recent history.
type condition struct {
	failures int
	until    time.Time
}

// A target that failed this often in a row counts as down for a while. Down
// targets are still called when there is no other.
const (
	maxFailures  = 3
	failDuration = 30 * time.Second
)

// NewHealth returns a Health that knows nothing yet.
func NewHealth(clock Clock) *Health {
	return &Health{clock: clock, targets: make(map[Target]*condition)}
}

// Up reports whether target is not known to be down.
func (h *Health) Up(target Target) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.targets[target]
	return c == nil || c.failures < maxFailures || !h.clock.Now().Before(c.until)
}

// maxTargets bounds the memory that a client who invents model names can
// take: beyond it, only targets already known are remembered.
const maxTargets = 10_000

// Report notes how a call to target went: ok means that the upstream did its
// part, whatever it thought of the request.
func (h *Health) Report(target Target, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.targets[target]
	switch {
	case ok:
		delete(h.targets, target)
		return
	case c == nil && len(h.targets) >= maxTargets:
		return
	case c == nil:
		c = &condition{}
		h.targets[target] = c
	}
	c.failures++
	c.until = h.clock.Now().Add(failDuration)
}
