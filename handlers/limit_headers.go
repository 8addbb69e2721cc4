package handlers

import (
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
)

// families are the words of rate-limit headers and the units that they speak
// of: the names of the limit, of what is left and of when that is whole again.
// OpenAI's have the first two only.
var families = [...]struct {
	unit              limits.Unit
	openai, anthropic [3]string
}{
	{
		limits.Requests,
		[3]string{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		[3]string{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
	},
	{
		limits.Tokens,
		[3]string{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
		[3]string{"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
	},
	{
		unit:      limits.InputTokens,
		anthropic: [3]string{"Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset"},
	},
	{
		unit:      limits.OutputTokens,
		anthropic: [3]string{"Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset"},
	},
}

// setLimits tells the client how much is left, in the headers that its
// vendor's clients know. Those of a stream may be sent from now on, others with all
// that is told of the answer.
func (c *call) setLimits(r *limits.Reservation) {
	q := &c.quota
	if q.told != nil { // of another target's
		c.out.prepare(c.tellLimits)
	}
	t := newTexts()
	c.appendLimits(t, r)
	if q.told, q.toldOf = t, r; c.x.Stream {
		c.out.prepare(c.tellLimits)
	}
}

// tellLimits sets what setLimits has left.
func (c *call) tellLimits() {
	if t := c.quota.told; t != nil {
		c.quota.told = nil
		c.out.setAll(t)
	}
}

// appendLimits writes how much is left. Of several limits on one unit the one with
// the least left counts; a shadow's is not told, since clients slow down by it.
func (c *call) appendLimits(t *texts, r *limits.Reservation) {
	for i := range families {
		family, tightest := &families[i], -1
		for j := range r.Claims {
			rule := r.Claims[j].Rule
			if rule.Unit == family.unit && !rule.Shadow && (tightest < 0 || r.Decisions[j].Remaining < r.Decisions[tightest].Remaining) {
				tightest = j
			}
		}
		if tightest < 0 {
			continue
		}
		d := &r.Decisions[tightest]
		switch {
		case c.route.Dialect == wire.Anthropic:
			t.number(family.anthropic[0], d.Limit)
			t.number(family.anthropic[1], d.Remaining)
			t.text = appendAnthropicTime(t.text, c.proxy.gateway.Now().Add(d.Reset))
			t.end(family.anthropic[2])
		case family.openai[0] != "":
			t.number(family.openai[0], d.Limit)
			t.number(family.openai[1], d.Remaining)
			t.text = appendOpenAIDuration(t.text, d.Reset)
			t.end(family.openai[2])
		}
	}
}

// appendAnthropicTime writes a moment as Anthropic does, in whole seconds: the first
// that is not before it, since who comes back then must find what was told.
func appendAnthropicTime(b []byte, t time.Time) []byte {
	if whole := t.Truncate(time.Second); whole.Before(t) {
		t = whole.Add(time.Second)
	}
	return t.UTC().AppendFormat(b, time.RFC3339)
}

// appendOpenAIDuration writes a time as OpenAI does, `1s`, `6m0s`, `12ms`, rounded
// up: what is to be there then is not there before.
func appendOpenAIDuration(b []byte, d time.Duration) []byte {
	if d = roundUp(d, time.Millisecond); 0 < d && d < time.Second {
		return append(strconv.AppendInt(b, d.Milliseconds(), 10), "ms"...)
	}
	seconds := int64(roundUp(d, time.Second) / time.Second)
	if seconds >= 3600 {
		b = append(strconv.AppendInt(b, seconds/3600, 10), 'h')
	}
	if seconds >= 60 {
		b = append(strconv.AppendInt(b, seconds/60%60, 10), 'm')
	}
	return append(strconv.AppendInt(b, seconds%60, 10), 's')
}

// roundUp is the first multiple of unit that is not before d.
func roundUp(d, unit time.Duration) time.Duration {
	if rest := d % unit; rest > 0 {
		return d - rest + unit
	}
	return d
}

// settledLimits says in the headers of a whole answer what will be left when
// the call has settled.
func (c *call) settledLimits(t *texts, usage wire.Usage) {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil {
		return
	}
	switch {
	case q.told == nil:
	case q.toldOf == q.held:
		q.told.release() // each of its fields is written now
		q.told = nil
	default:
		t.join(q.told)
		q.told = nil
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
		d := &q.held.Decisions[i]
		d.Used += actual - q.held.Claims[i].Amount
		d.Remaining = max(0, d.Limit-d.Used)
	}
	c.appendLimits(t, q.held)
}

// decided is what a limit on unit has decided.
type decided struct {
	unit     limits.Unit
	decision telemetry.Decision
}

// countDecisions counts what limits decided; of a call that turns to another
// model, only that. Those of a refusal wait for countRefusal.
func (c *call) countDecisions(r *limits.Reservation, ok, turns bool) {
	for i := range r.Claims {
		decision := telemetry.Allowed
		shadow := r.Claims[i].Rule.Shadow
		switch {
		case turns && (shadow || !spent(r, i, ok)):
			continue
		case turns:
			decision = telemetry.Downgraded
		case r.Decisions[i].Over && shadow:
			decision = telemetry.Shadowed
		case shadow && spent(r, i, ok):
			decision = telemetry.ShadowDowngraded
		case r.Decisions[i].Over:
			decision = telemetry.Refused
		case r.Decisions[i].Degraded:
			decision = telemetry.Degraded
		}
		d := decided{r.Claims[i].Rule.Unit, decision}
		if !ok && !turns {
			t := c.quota.turned()
			t.refused = append(t.refused, d)
			continue
		}
		c.proxy.metrics.Limit(d.unit, d.decision)
	}
}

// countRefusal counts what limits decided if they refused the room that was asked for
// last: it has become plain that no other will be asked for in its place.
func (c *call) countRefusal() {
	t := c.quota.turns
	if t == nil {
		return
	}
	for _, d := range t.refused {
		c.proxy.metrics.Limit(d.unit, d.decision)
	}
	t.refused = t.refused[:0]
}
