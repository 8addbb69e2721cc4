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
	deep    map[Target]*inspection
}

// inspection is the last deep check of a target. Its lock is held during the
// check, so that whoever asks meanwhile shares the result.
type inspection struct {
	mu     sync.Mutex
	at     time.Time
	result string
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
	return &Health{clock: clock, targets: make(map[Target]*condition), deep: make(map[Target]*inspection)}
}

// Up reports whether target is not known to be down.
func (h *Health) Up(target Target) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.targets[target]
	return c == nil || c.failures < maxFailures || !h.clock.Now().Before(c.until)
}

// Deep returns the result of the last check of target, and when it was made,
// if that is not longer than every ago; else it makes a new one.
func (h *Health) Deep(target Target, every time.Duration, check func() string) (result string, at time.Time) {
	h.mu.Lock()
	i := h.deep[target]
	if i == nil {
		i = &inspection{}
		h.deep[target] = i
	}
	h.mu.Unlock()

	i.mu.Lock()
	defer i.mu.Unlock()
	if now := h.clock.Now(); i.at.IsZero() || now.Sub(i.at) >= every {
		i.result, i.at = check(), now
	}
	return i.result, i.at
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
