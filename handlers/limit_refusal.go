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
	var room [320]byte
	m := gateway.AppendScopeName(append(room[:0], "the limit of "...), claim.Scope, claim.Name)
	m = claim.Rule.Append(append(m, " is reached: "...))
	m = appendQuantity(append(m, "; used "...), claim.Rule, d.Used)
	m = appendQuantity(append(m, ", left "...), claim.Rule, d.Remaining)
	m = appendQuantity(append(m, ", asked for "...), claim.Rule, claim.Amount)
	if why != nil {
		m = append(append(m, "; "...), why.Error()...)
	}
	if wait := r.Wait(); wait != limits.Never {
		e.RetryAfter = wait
	} else {
		e.NoRetry = true
		m = append(m, "; this request alone is more than the limit allows"...)
	}
	e.Message = string(m)
	return e
}

// overLimit reports whether err is such a refusal.
func overLimit(err error) bool {
	e := gateway.AsError(err)
	return e.Phase == "limit" && (e.Kind == wire.KindRateLimit || e.Kind == wire.KindBudget)
}

func quantity(rule *limits.Rule, n int64) string { return string(appendQuantity(nil, rule, n)) }

func appendQuantity(dst []byte, rule *limits.Rule, n int64) []byte {
	if rule.Unit == limits.USD {
		return append(limits.AppendUSD(dst, n), " usd"...)
	}
	return strconv.AppendInt(dst, n, 10)
}
