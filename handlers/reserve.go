package handlers

import (
	"context"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// reservations holds *limits.Reservation, with their claims' memory.
var reservations = sync.Pool{New: func() any { return new(limits.Reservation) }}

// quota is what a call holds of the limits that it falls under.
type quota struct {
	store limits.Store

	// mu guards held: leases are renewed on a timer's goroutine.
	mu     sync.Mutex
	held   *limits.Reservation
	renew  *time.Timer
	need   need     // what held rests on
	scopes []string // parallel to held.Claims: whose limit it is, for messages
}

// reserve takes room under all limits at once, or under none, before any
// provider is paid: the prompt's tokens and the cap on the answer's, which is
// written into the call if the client named none.
func (c *call) reserve() error {
	start := c.proxy.gateway.Now()
	r := reservations.Get().(*limits.Reservation)
	r.Reset()
	q := &c.quota
	q.scopes = q.scopes[:0]
	if err := c.claim(r); err != nil || len(r.Claims) == 0 {
		reservations.Put(r)
		return err
	}
	ok, err := c.queueFor(r, start)
	if err != nil {
		reservations.Put(r)
		if cause := c.cause(); cause != nil {
			return cause
		}
		return &gateway.Error{Kind: wire.KindOverloaded, Phase: "limit", Message: "limits cannot be checked at the moment", Cause: err}
	}
	c.x.Update(func() { c.x.Timings.Limit = c.proxy.gateway.Now().Sub(start) })
	c.countDecisions(r)
	c.setLimits(r)
	if !ok {
		refusal := c.refusal(r)
		reservations.Put(r)
		return refusal
	}
	c.hold(r)
	return nil
}

// hold keeps r until the call settles, and its leases from running out.
func (c *call) hold(r *limits.Reservation) {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = r
	for i := range r.Claims {
		if r.Claims[i].Rule.Unit == limits.Concurrency {
			q.renew = time.AfterFunc(renewEvery, c.renewLeases)
			break
		}
	}
}

// rebook takes room for another target in place of that for the last one. If
// there is none, what was held is held again, whatever the limits say: the call
// has been made, and what it has used is charged.
func (c *call) rebook() error {
	q := &c.quota
	q.mu.Lock()
	was := q.held
	q.held = nil
	if q.renew != nil {
		q.renew.Stop()
	}
	q.mu.Unlock()
	scopes := append([]string(nil), q.scopes...)
	if was != nil {
		ctx, cancel := context.WithTimeout(c.ctx, settleTime)
		defer cancel()
		_ = q.store.Settle(ctx, was, make([]int64, len(was.Claims)))
	}
	err := c.reserve()
	if err == nil || was == nil {
		return err
	}
	was.Force = true
	if ok, again := q.store.Reserve(c.ctx, was); ok && again == nil {
		q.scopes = scopes
		c.hold(was)
	}
	return err
}

// queueFor reserves, and where the limit in the way has a queue, waits for room
// as long as that allows. Waiting calls keep no order among each other.
func (c *call) queueFor(r *limits.Reservation, start time.Time) (bool, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		ok, err := c.quota.store.Reserve(c.ctx, r)
		if ok || err != nil || r.Refused < 0 {
			return ok, err
		}
		rest := r.Claims[r.Refused].Rule.Queue - c.proxy.gateway.Now().Sub(start)
		wait := r.Wait()
		if wait == limits.Never || rest <= 0 {
			return false, nil
		}
		if r.Claims[r.Refused].Rule.Unit == limits.Concurrency {
			wait = min(wait, queuePoll) // a place may come free at any moment
		}
		if wait > rest {
			return false, nil
		}
		timer.Reset(max(wait, time.Millisecond))
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return false, limits.ErrUnavailable
		}
	}
}

// queuePoll is how often a waiting call looks for a place under a limit on
// concurrency.
const queuePoll = 25 * time.Millisecond

// claim adds what is asked of every rule that the call falls under.
func (c *call) claim(r *limits.Reservation) error {
	var n *need
	add := func(scope, name string, rules []limits.Rule) error {
		for i := range rules {
			rule := &rules[i]
			if n == nil && rule.Unit != limits.Requests && rule.Unit != limits.Concurrency {
				var err error
				if n, err = c.need(); err != nil {
					return err
				}
				c.quota.need = *n
			}
			amount, err := c.amount(rule, n)
			if err != nil {
				return err
			}
			r.Claim(limits.Key(scope, name, rule), rule, amount)
			c.quota.scopes = append(c.quota.scopes, scopeName(scope, name))
		}
		return nil
	}
	for _, b := range c.bearers() {
		own, each := c.proxy.rules.Of(b.scope, b.name)
		if b.scope == gateway.ScopeKey && c.caller.key != nil {
			rules, err := c.proxy.host.KeyRules(c.caller.key)
			if err != nil {
				return &gateway.Error{Kind: wire.KindInternal, Message: "internal error", Cause: err}
			}
			own = append(own[:len(own):len(own)], rules...)
		}
		if err := add(b.scope, b.name, own); err != nil {
			return err
		}
		if err := add(b.scope, b.name, without(each, own)); err != nil {
			return err
		}
	}
	for _, z := range zonesOf(c.r) {
		if err := add(gateway.ScopeSite, z.name, z.rules); err != nil {
			return err
		}
	}
	return nil
}

type bearer struct{ scope, name string }

// bearers are those whose limits the call falls under.
func (c *call) bearers() [6]bearer {
	model := c.target.Alias
	if model == "" {
		model = c.target.Target.String()
	}
	p := c.caller.principal
	return [...]bearer{
		{gateway.ScopeGlobal, ""},
		{gateway.ScopeProvider, c.target.Target.Provider},
		{gateway.ScopeModel, model},
		{gateway.ScopeTeam, p.Team},
		{gateway.ScopeUser, p.User},
		{gateway.ScopeKey, p.Key},
	}
}

// without leaves out of rules those that count what one of own counts: both
// would share a counter, and the one that names the bearer is meant.
func without(rules, own []limits.Rule) []limits.Rule {
	if len(rules) == 0 || len(own) == 0 {
		return rules
	}
	var kept []limits.Rule
	for i := range rules {
		shared := false
		for j := range own {
			shared = shared || own[j].ID() == rules[i].ID()
		}
		if !shared {
			kept = append(kept, rules[i])
		}
	}
	return kept
}
