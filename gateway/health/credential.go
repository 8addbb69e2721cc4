package health

import "time"

// try reports whether a call may be made with the credential. A disabled one
// is tried by one call at a time when it is due; trial is that call's number.
func (c *credential) try(now time.Time) (ok bool, trial uint32) {
	if !c.disabled.Load() {
		return true, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.disabled.Load():
		return true, 0
	case now.Before(c.retryAt), c.trial != 0 && now.Sub(c.tried) < probeLease:
		return false, 0
	}
	c.trials = max(1, c.trials+1)
	c.trial, c.tried = c.trials, now
	return true, c.trial
}

func (c *credential) state() (disabled bool, retryAt time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disabled.Load(), c.retryAt
}

// free ends a trial that has shown nothing.
func (c *credential) free(call *Call) {
	if call.trial == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trial == call.trial {
		c.trial = 0
	}
}

// outdated reports whether a call began before the credential was disabled,
// enabled or replaced, and so says nothing of how it is now.
func (c *credential) outdated(call *Call) bool { return c.gone || call.began.Before(c.changed) }

// worked notes that the upstream took the credential.
func (c *credential) worked(now time.Time, call *Call) {
	if !c.disabled.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.outdated(call) {
		c.enable(now, "accepted")
	}
}

// enable lets the credential be used again.
func (c *credential) enable(now time.Time, reason string) {
	if !c.disabled.Load() {
		return
	}
	c.disabled.Store(false)
	c.changed, c.retryAt, c.trial = now, time.Time{}, 0
	c.provider.tracker.changes.add(Change{Kind: AccountEnabled, Target: Target{Provider: c.provider.name}, Account: c.name, Reason: reason})
}

// refused notes that the upstream did not take the credential.
func (c *credential) refused(now time.Time, call *Call, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outdated(call) {
		return
	}
	c.retryAt, c.trial = now.Add(authRetry), 0
	if c.disabled.Load() {
		return
	}
	c.disabled.Store(true)
	c.changed = now
	c.provider.tracker.changes.add(Change{Kind: AccountDisabled, Target: Target{Provider: c.provider.name}, Account: c.name, Until: c.retryAt, Reason: reason})
}
