package handlers

import (
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// claim adds what is asked of every rule that the call falls under.
func (c *call) claim(r *limits.Reservation) error {
	a := asking{call: c, r: r}
	for _, b := range c.bearers() {
		own, each := c.proxy.rules.Of(b.scope, b.name)
		if err := a.own(&own); err != nil {
			return err
		}
		var issued *limits.Ruled
		if b.scope == gateway.ScopeKey && c.caller.key != nil {
			var err error
			if issued, err = c.proxy.host.KeyRules(c.caller.key); err != nil {
				return &gateway.Error{Kind: wire.KindInternal, Message: "internal error", Cause: err}
			}
			if err := a.own(issued); err != nil {
				return err
			}
		}
		for i := range each {
			// Both would share a counter, and the one that names the bearer is meant.
			if shares(&own, &each[i]) || shares(issued, &each[i]) {
				continue
			}
			if err := a.each(b.scope, b.name, &each[i]); err != nil {
				return err
			}
		}
	}
	for _, z := range zonesOf(c.r) {
		name := z.named(c.r)
		for i := range z.limit.Limits {
			if err := a.each(gateway.ScopeSite, name, &z.limit.Limits[i]); err != nil {
				return err
			}
		}
	}
	r.NameKeys()
	r.Unite()
	return nil
}

// shares reports whether one of b's rules counts what rule counts; b may be nil.
func shares(b *limits.Ruled, rule *limits.Rule) bool {
	if b == nil {
		return false
	}
	for i := range b.Rules {
		if b.Rules[i].Shares(rule) {
			return true
		}
	}
	return false
}

// asking is a call that asks for its needs, which are found out when the first rule
// wants to know them.
type asking struct {
	*call
	r *limits.Reservation
	n *need
}

func (a *asking) own(b *limits.Ruled) error {
	for i := range b.Rules {
		amount, asks, err := a.of(&b.Rules[i])
		if err != nil {
			return err
		}
		if asks {
			a.r.ClaimRule(b, i, amount)
		}
	}
	return nil
}

func (a *asking) each(scope, name string, rule *limits.Rule) error {
	amount, asks, err := a.of(rule)
	if asks {
		a.r.ClaimOf(scope, name, rule, amount)
	}
	return err
}

// of is what is asked of a rule, if anything.
func (a *asking) of(rule *limits.Rule) (amount int64, asks bool, err error) {
	if free := a.quota.free; free != nil {
		if !free.covers(rule) {
			return 0, false, nil
		}
		if a.n == nil && rule.Unit != limits.Requests {
			a.n = free.need()
		}
	}
	if a.n == nil && rule.Unit != limits.Requests && rule.Unit != limits.Concurrency {
		if a.n, err = a.need(); err != nil {
			return 0, false, err
		}
	}
	amount, err = a.amount(rule, a.n)
	return amount, err == nil, err
}

type bearer struct{ scope, name string }

// bearers are those whose limits the call falls under.
func (c *call) bearers() [6]bearer {
	model := c.target.Alias
	if model == "" && c.proxy.rules.Any(gateway.ScopeModel) {
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
