package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// families are the words of rate-limit headers and the units that they speak
// of. OpenAI's have the first two only.
var families = [...]struct {
	name string
	unit limits.Unit
}{
	{"requests", limits.Requests},
	{"tokens", limits.Tokens},
	{"input-tokens", limits.InputTokens},
	{"output-tokens", limits.OutputTokens},
}

// setLimits tells the client how much is left, in the headers that its
// vendor's clients know. Of several limits on one unit the one with the least
// left counts.
func (c *call) setLimits(r *limits.Reservation) {
	c.out.prepare(func() { c.writeLimits(r) })
}

func (c *call) writeLimits(r *limits.Reservation) {
	now := c.proxy.gateway.Now()
	h := c.out.w.Header()
	for i, family := range families {
		tightest := -1
		for j := range r.Claims {
			if r.Claims[j].Rule.Unit == family.unit && (tightest < 0 || r.Decisions[j].Remaining < r.Decisions[tightest].Remaining) {
				tightest = j
			}
		}
		if tightest < 0 {
			continue
		}
		d := &r.Decisions[tightest]
		switch {
		case c.route.Dialect == wire.Anthropic:
			writeAnthropicLimit(h, family.name, d, now)
		case i < 2:
			writeOpenAILimit(h, family.name, d)
		}
	}
}

func writeOpenAILimit(h http.Header, name string, d *limits.Decision) {
	setHeader(h, http.CanonicalHeaderKey("x-ratelimit-limit-"+name), strconv.FormatInt(d.Limit, 10))
	setHeader(h, http.CanonicalHeaderKey("x-ratelimit-remaining-"+name), strconv.FormatInt(max(d.Remaining, 0), 10))
	setHeader(h, http.CanonicalHeaderKey("x-ratelimit-reset-"+name), openAIDuration(d.Reset))
}

// openAIDuration is a time as OpenAI writes it: `1s`, `6m0s`, `12ms`.
func openAIDuration(d time.Duration) string {
	if d >= time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

func writeAnthropicLimit(h http.Header, name string, d *limits.Decision, now time.Time) {
	prefix := "anthropic-ratelimit-" + name
	setHeader(h, http.CanonicalHeaderKey(prefix+"-limit"), strconv.FormatInt(d.Limit, 10))
	setHeader(h, http.CanonicalHeaderKey(prefix+"-remaining"), strconv.FormatInt(max(d.Remaining, 0), 10))
	setHeader(h, http.CanonicalHeaderKey(prefix+"-reset"), now.Add(d.Reset).UTC().Format(time.RFC3339))
}

// settledLimits says in the headers of a whole answer what will be left when
// the call has settled.
func (c *call) settledLimits(usage wire.Usage) {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil {
		return
	}
	for i := range q.held.Claims {
		var actual int64
		switch q.held.Claims[i].Rule.Unit {
		case limits.Tokens:
			actual = limits.Add(usage.Input, usage.Output)
		case limits.InputTokens:
			actual = usage.Input
		case limits.OutputTokens:
			actual = usage.Output
		default:
			continue
		}
		q.held.Decisions[i].Remaining += q.held.Claims[i].Amount - actual
	}
	c.setLimits(q.held)
}

// countDecisions counts what limits decided; of a call that turns to another
// model, only that.
func (c *call) countDecisions(r *limits.Reservation, ok, turns bool) {
	for i := range r.Claims {
		decision := "allowed"
		shadow := r.Claims[i].Rule.Shadow
		switch {
		case turns && (shadow || !spent(r, i, ok)):
			continue
		case turns:
			decision = "downgraded"
		case r.Decisions[i].Over && shadow:
			decision = "shadowed"
		case shadow && spent(r, i, ok):
			decision = "shadow_downgraded"
		case r.Decisions[i].Over:
			decision = "refused"
		case r.Decisions[i].Degraded:
			decision = "degraded"
		}
		c.proxy.metrics.Limit(r.Claims[i].Rule.Unit.String(), decision)
	}
}
