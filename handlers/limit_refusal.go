package handlers

import (
	"strconv"

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
	e.Message = "the limit of " + gateway.ScopeName(claim.Scope, claim.Name) + " is reached: " + claim.Rule.String() +
		"; used " + quantity(claim.Rule, d.Used) + ", left " + quantity(claim.Rule, d.Remaining) + ", asked for " + quantity(claim.Rule, claim.Amount)
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
	return strconv.FormatInt(n, 10)
}
