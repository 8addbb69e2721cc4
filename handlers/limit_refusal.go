package handlers

import (
	"fmt"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// refusal tells a client which limit it has met, and when to come back; why is
// what ended its wait for room, nil if it has not waited.
func (c *call) refusal(r *limits.Reservation, why error) error {
	i := r.Refused
	claim, d := &r.Claims[i], &r.Decisions[i]
	e := &gateway.Error{Kind: wire.KindRateLimit, Phase: "limit"}
	if claim.Rule.Unit == limits.USD {
		e.Kind = wire.KindBudget
	}
	e.Message = fmt.Sprintf("the limit of %s is reached: %s; used %s, left %s, asked for %s",
		c.quota.scopes[i], claim.Rule, quantity(claim.Rule, d.Used), quantity(claim.Rule, d.Remaining), quantity(claim.Rule, claim.Amount))
	if why != nil {
		e.Message += "; " + why.Error()
	}
	switch wait := r.Wait(); {
	case wait == limits.Never:
		e.NoRetry = true
		e.Message += "; this request alone is more than the limit allows"
	default:
		e.RetryAfter = wait
	}
	return e
}

func quantity(rule *limits.Rule, n int64) string {
	if rule.Unit == limits.USD {
		return limits.FormatUSD(n) + " usd"
	}
	return fmt.Sprint(n)
}

func scopeName(scope, name string) string {
	switch {
	case scope == gateway.ScopeGlobal:
		return "the gateway"
	case scope == gateway.ScopeSite:
		return "the site"
	default:
		return scope + " '" + name + "'"
	}
}
