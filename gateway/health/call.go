package health

import (
	"net/http"
	"time"
)

// Class is what a call says of the upstream.
type Class uint8

// The classes.
const (
	// OK: the upstream did its part.
	OK Class = iota

	// Failed: no connection, a timeout, a status of 500 and above, an answer
	// that is malformed or was cut. It counts against the target.
	Failed

	// RateLimit: a 429. It cools the account for the model, as does a 403 that
	// concerns the model alone, with a RetryAfter.
	RateLimit

	// Auth: the upstream refused the account's credential. It disables the
	// account.
	Auth

	// ClientError: the upstream blames the request. It holds nothing against
	// anyone, and shows that the target works.
	ClientError

	// Abandoned: the call was ended from this side before its end: the client
	// left, another call won, the gateway exits. It says nothing.
	Abandoned
)

// Result is how a call ended.
type Result struct {
	Class Class

	// RetryAfter is what the answer's body says of when to come back, such as
	// Google's RetryInfo; 0: what its headers say, if they were shown to
	// [Call.Headers].
	RetryAfter time.Duration

	// Reason is for logs and events, such as "status 503" or "connect".
	Reason string
}

// Call is one call to a target. Its zero value is a call of which nothing is
// remembered. It belongs to one goroutine at a time, must not be copied once
// it is in use, and must be ended.
type Call struct {
	target   *target // nil: ended
	account  *account
	cred     *credential
	settings Settings
	began    time.Time
	spell    uint32
	probe    uint32 // the target's probe that it is; 0: none
	trial    uint32 // that of a disabled credential that it is; 0: none
	answered bool   // its first token came
	failed   bool   // it was slow and has been counted as failed
	hint     time.Duration
}

// Begin starts a call whatever the state of the target and the account is:
// for when there is no other.
func (t *Tracker) Begin(key Target, account string, s Settings) Call {
	c, _ := t.begin(key, account, s, true)
	return c
}

// Try starts a call if the target and the account are fit for it: if the
// target is closed, or half-open and nobody else is probing it; and if the
// account is not cooling for the model, and neither disabled, or due for
// being tried again by one call. Else it reports false, and there is no call
// to end.
func (t *Tracker) Try(key Target, account string, s Settings) (Call, bool) {
	return t.begin(key, account, s, false)
}

func (t *Tracker) begin(key Target, account string, s Settings, always bool) (Call, bool) {
	now := t.clock.Now()
	x := t.enter(key, now)
	if x == nil {
		return Call{}, true
	}
	cred := x.provider.credential(account)
	x.mu.Lock()
	defer x.mu.Unlock()
	a := x.account(account)
	c := Call{target: x, account: a, cred: cred, settings: s.orDefaults(), began: now, spell: x.spell}
	if !always && !c.admit(now) {
		x.inFlight.Add(-1)
		return Call{}, false
	}
	x.used = now
	x.waiting++
	a.inFlight++
	return c, true
}

// admit reports whether the call may be made, and takes the places that it
// needs for that.
func (c *Call) admit(now time.Time) bool {
	x := c.target
	if now.Before(c.account.coolUntil) || x.open && x.state(now) == Open {
		return false
	}
	if x.open {
		if c.probe = x.claim(now); c.probe == 0 {
			return false
		}
	}
	admitted, trial := c.cred.try(now)
	if !admitted {
		c.free()
		return false
	}
	c.trial = trial
	return true
}

// free gives the place of the target's probe back.
func (c *Call) free() {
	if c.probe != 0 && c.probe == c.target.probe {
		c.target.probe = 0
	}
}

// Probing reports whether the call is the one that finds out whether a target
// which was down is up again.
func (c *Call) Probing() bool { return c.probe != 0 }

// Headers learns from the header of the call's answer what is left of the
// account's quota for the model, and when to come back.
func (c *Call) Headers(status int, h http.Header) {
	x := c.target
	if x == nil {
		return
	}
	now := x.tracker.clock.Now()
	// Anthropic and Together send Retry-After with answers that are fine, too.
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		c.hint = RetryAfter(h, now)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c.account.learn(h, now)
}

// FirstToken notes the time that the first content took. It must not be
// called for answers that are not streamed, whose time means something else.
func (c *Call) FirstToken(d time.Duration) {
	x := c.target
	if x == nil || c.answered {
		return
	}
	c.answered = true
	now := x.tracker.clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting--
	x.latency.add(now, d)
	if limit := c.settings.UnhealthyLatency; limit > 0 && d > limit {
		c.failed = true
		x.fail(now, c, 0, "slow first token")
		return
	}
	// A probe has seen enough; streams may last for minutes.
	if c.spell == x.spell {
		x.revive(now)
		c.spell = x.spell
	}
}

// End notes how the call ended. Only the first end of a call counts.
func (c *Call) End(r Result) {
	x := c.target
	if x == nil {
		return
	}
	now := x.tracker.clock.Now()
	hint := hinted(r.RetryAfter)
	if hint == 0 {
		hint = hinted(c.hint)
	}
	x.inFlight.Add(-1)
	x.mu.Lock()
	defer x.mu.Unlock()
	c.account.inFlight--
	if !c.answered {
		x.waiting--
	}
	limit := c.settings.UnhealthyLatency
	switch {
	case r.Class == RateLimit:
		c.account.cool(now, c, hint, r.Reason)
	case c.failed: // and counted
	case r.Class == OK:
		c.account.worked(c.began)
		x.succeed(now, c.spell)
	case r.Class == Failed:
		x.fail(now, c, hint, r.Reason)
	case r.Class == ClientError && c.spell == x.spell:
		x.revive(now)
	case r.Class == Abandoned && !c.answered && limit > 0 && now.Sub(c.began) > limit:
		x.fail(now, c, 0, "slow first token") // clients do not wait for ever
	}
	c.free()
	switch r.Class {
	case OK:
		c.cred.worked(now, c)
	case Auth:
		c.cred.refused(now, c, r.Reason)
	default:
		c.cred.free(c)
	}
	c.target = nil
}

// Abandon ends a call that was not made, or whose end says nothing.
func (c *Call) Abandon() { c.End(Result{Class: Abandoned}) }
