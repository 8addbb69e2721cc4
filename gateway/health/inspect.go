package health

import (
	"sync"
	"time"
)

// inspections are the deep checks of targets.
type inspections struct {
	mu      sync.Mutex
	targets map[Target]*inspection
}

// inspection is the last deep check of a target. Its lock is held during the
// check, so that whoever asks meanwhile shares the result.
type inspection struct {
	mu     sync.Mutex
	at     time.Time
	result string
}

// Deep returns the result of the last check of target, and when it was made,
// if that is not longer than every ago; else it makes a new one.
func (t *Tracker) Deep(target Target, every time.Duration, check func() string) (result string, at time.Time) {
	t.inspections.mu.Lock()
	i := t.inspections.targets[target]
	if i == nil {
		i = &inspection{}
		t.inspections.targets[target] = i
	}
	t.inspections.mu.Unlock()

	i.mu.Lock()
	defer i.mu.Unlock()
	if now := t.clock.Now(); i.at.IsZero() || now.Sub(i.at) >= every {
		i.result, i.at = check(), now
	}
	return i.result, i.at
}
