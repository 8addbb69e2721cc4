package health

import (
	"slices"
	"time"
)

// AccountView is what is known of an account, for one model.
type AccountView struct {
	// Disabled: the provider has refused its credential. RetryAt is when one
	// call may try it again.
	Disabled bool
	RetryAt  time.Time

	// CoolUntil is when the account's rate limit for the model is over; not in
	// the future if it is not cooling.
	CoolUntil time.Time

	// Headroom is the share of the quota that is left, between 0 and 1: the
	// least of all that the provider has told of, each recovering evenly until
	// its reset. 1 if nothing is known.
	Headroom float64

	InFlight int64

	// Quotas are as the provider last told them, by kind.
	Quotas [Kinds]Quota
}

// account is one credential's use of one model. The target's lock guards it.
type account struct {
	target    *target
	name      string
	gone      bool // no configuration has it any more
	inFlight  int64
	coolUntil time.Time
	cooled    time.Time // when its last cooldown began
	cools     int       // in a row
	quotas    [Kinds]Quota
}

// maxAccounts bounds the accounts that a provider or a target remembers,
// beyond what any configuration has at a time.
const maxAccounts = 256

// Account returns what is known of a provider's account for a model.
func (t *Tracker) Account(provider, account, model string) AccountView {
	now := t.clock.Now()
	v := AccountView{Headroom: 1}
	t.mu.RLock()
	p := t.providers[provider]
	t.mu.RUnlock()
	if p == nil {
		return v
	}
	if cred := p.find(account); cred != nil {
		v.Disabled, v.RetryAt = cred.state()
	}
	x := t.find(Target{provider, model})
	if x == nil {
		return v
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.accounts {
		if a.name == account {
			v.CoolUntil, v.InFlight, v.Quotas, v.Headroom = a.coolUntil, a.inFlight, a.quotas, a.headroom(now)
		}
	}
	return v
}

// account returns the target's account of that name, made if need be.
func (x *target) account(name string) *account {
	for _, a := range x.accounts {
		if a.name == name {
			return a
		}
	}
	a := &account{target: x, name: name}
	if len(x.accounts) < maxAccounts {
		x.accounts = append(x.accounts, a)
	}
	return a
}

// keep drops what was learned of other accounts than these.
func (x *target) keep(names []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	kept := make([]*account, 0, len(names))
	for _, a := range x.accounts {
		if a.gone = !slices.Contains(names, a.name); !a.gone { // calls in flight hold it
			kept = append(kept, a)
		}
	}
	x.accounts = kept
}

// cool takes the account out of use for the model. hint is the provider's
// word; without it, the quota that is used up says when, else the cooldown
// grows.
func (a *account) cool(now time.Time, c *Call, hint time.Duration, reason string) {
	if a.gone {
		return
	}
	if hint <= 0 {
		hint = hinted(a.exhausted(now))
	}
	if hint <= 0 {
		if c.began.Before(a.cooled) {
			return // it was on its way when the cooldown began
		}
		hint = backoff(cooldowns[:], a.cools, a.target.tracker.random())
	}
	until := now.Add(hint)
	if !until.After(a.coolUntil) {
		return
	}
	cooling := now.Before(a.coolUntil)
	a.coolUntil = until
	if cooling {
		return
	}
	a.cools++
	a.cooled = now
	a.target.tell(Change{Kind: AccountCooling, Target: a.target.key, Account: a.name, Until: until, Reason: reason})
}

// worked notes that a call succeeded that began then: the next cooldown is
// short again.
func (a *account) worked(began time.Time) {
	if !began.Before(a.cooled) {
		a.cools = 0
	}
}
