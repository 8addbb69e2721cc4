package health

import (
	"sync"
	"time"
)

// ChangeKind is what has changed. Its text is part of the public names of
// events.
type ChangeKind string

// The kinds of changes.
const (
	TargetUnhealthy ChangeKind = "target_unhealthy"
	TargetHealthy   ChangeKind = "target_healthy"
	AccountCooling  ChangeKind = "account_cooling"
	AccountDisabled ChangeKind = "account_disabled"
	AccountEnabled  ChangeKind = "account_enabled"
)

// Change is one transition.
type Change struct {
	Kind ChangeKind

	// Target is what it is about; its Model is empty for AccountDisabled and
	// AccountEnabled, which concern all of the provider's models.
	Target Target

	// Account is empty for changes of targets.
	Account string

	// Until is when the state may end; zero for changes for the better.
	Until time.Time

	// Reason is the [Result.Reason] of the call that was the last straw, or
	// what else brought it about.
	Reason string
}

// OnChange sets the function that is told of every transition, once each and
// in order, on a goroutine that is no call's. It belongs before the first
// call. A function that is slow loses the oldest of more than a thousand
// changes that wait for it.
func (t *Tracker) OnChange(told func(Change)) {
	t.changes.mu.Lock()
	defer t.changes.mu.Unlock()
	t.changes.told = told
}

const maxChanges = 1024

// changes is the queue between calls and the one who is told. Its goroutine
// lives only as long as there is something to tell.
type changes struct {
	mu      sync.Mutex
	told    func(Change)
	waiting []Change
	running bool
}

// add is called with targets and credentials locked, so that the order of the
// queue is that of the transitions.
func (c *changes) add(change Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		return
	}
	if len(c.waiting) >= maxChanges {
		c.waiting = c.waiting[1:]
	}
	c.waiting = append(c.waiting, change)
	if !c.running {
		c.running = true
		go c.run()
	}
}

func (c *changes) run() {
	for {
		c.mu.Lock()
		if len(c.waiting) == 0 {
			c.waiting, c.running = nil, false
			c.mu.Unlock()
			return
		}
		next, told := c.waiting[0], c.told
		c.waiting = c.waiting[1:]
		c.mu.Unlock()
		told(next)
	}
}
