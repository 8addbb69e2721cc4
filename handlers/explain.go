package handlers

import (
	"encoding/json"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// headerExplain asks for the decisions that were taken about a request, and
// brings them.
const headerExplain = "X-Ai-Explain"

// maxExplain bounds the header: many clients take 8 KiB of all headers together.
const maxExplain = 4 << 10

// explanation is the JSON in the header.
type explanation struct {
	Model    string             `json:"model"`
	Cache    *explainedCache    `json:"cache,omitempty"`
	Limits   []explainedLimit   `json:"limits,omitempty"`
	Attempts []explainedAttempt `json:"attempts"`
}

type explainedCache struct {
	Result     string   `json:"result"`
	Rule       string   `json:"rule,omitempty"`
	Scope      string   `json:"scope,omitempty"`
	Age        *float64 `json:"age_s,omitempty"`
	TTL        *float64 `json:"ttl_s,omitempty"`
	Similarity float64  `json:"similarity,omitempty"`
	Stored     bool     `json:"stored,omitempty"`
}

type explainedLimit struct {
	Of        string `json:"of"`
	Limit     string `json:"limit"`
	Asked     string `json:"asked"`
	Used      string `json:"used,omitempty"`
	Remaining string `json:"remaining,omitempty"`
	Over      bool   `json:"over,omitempty"`
}

type explainedAttempt struct {
	Target  string   `json:"target"`
	Reason  string   `json:"reason"`
	Status  int      `json:"status,omitempty"`
	Error   string   `json:"error,omitempty"`
	Phase   string   `json:"phase,omitempty"`
	MS      float64  `json:"ms"`
	Skipped []string `json:"skipped,omitempty"`
}

// explains reports whether the client asks for the decisions.
func (c *call) explains() bool { return strings.EqualFold(c.r.Header.Get(headerExplain), "on") }

// setExplain tells a client that asks for it what was decided so far: what the
// cache did, the limits, the targets that were tried, those that were passed over, and why.
func (c *call) setExplain() {
	if c.x == nil || !c.explains() {
		return
	}
	e := explanation{Model: c.x.Model, Cache: c.explainCache(), Attempts: []explainedAttempt{}}
	for _, l := range c.x.Limits {
		told := explainedLimit{Of: l.Of(), Limit: l.Rule.String(), Asked: quantity(l.Rule, l.Asked), Over: l.Over}
		if !c.tellsOthers(&l) {
			told.Used, told.Remaining = quantity(l.Rule, l.Used), quantity(l.Rule, l.Remaining)
		}
		e.Limits = append(e.Limits, told)
	}
	now := c.proxy.gateway.Now().Sub(c.x.Start)
	for _, s := range c.x.Trail() {
		if s.Total == 0 { // it is not over
			s.Total = now - s.Begun
		}
		e.Attempts = append(e.Attempts, explainedAttempt{
			Target: gateway.Target{Provider: s.Provider, Model: s.Model}.String(), Reason: s.Reason, Status: s.Status,
			Error: s.Error, Phase: s.Phase, MS: float64(s.Total.Microseconds()) / 1000, Skipped: s.Skipped,
		})
	}
	text, err := json.Marshal(e)
	for err == nil && len(text) > maxExplain && len(e.Attempts) > 1 {
		e.Attempts = e.Attempts[1:] // the last ones tell the most
		text, err = json.Marshal(e)
	}
	if err == nil && len(text) <= maxExplain {
		setHeader(c.out.w.Header(), headerExplain, ascii(text))
	}
}

// tellsOthers reports whether the state of a limit would tell the bearer of a key
// what others spend, or how busy they are: of limits that all share, rate limits
// alone show what is left, as the headers do.
func (c *call) tellsOthers(l *gateway.Limited) bool {
	if c.caller.key == nil {
		return false
	}
	switch l.Scope {
	case gateway.ScopeGlobal, gateway.ScopeProvider, gateway.ScopeModel:
		return l.Rule.Shadow || l.Rule.Unit == limits.USD || l.Rule.Unit == limits.Concurrency
	default:
		return false
	}
}

// explainCache says what the cache did; nil where it had nothing to do. Whose the
// answer was at first is nobody's business: the scope is the configuration's word.
func (c *call) explainCache() *explainedCache {
	if c.x.Cache == "" {
		return nil
	}
	e := &explainedCache{Result: c.x.Cache, Rule: c.bypassed, Similarity: c.x.Similarity, Stored: c.x.Stored}
	k := c.keeping
	if k == nil {
		return e
	}
	e.Scope = k.exact.Scope
	if from := k.from; from != nil {
		age, ttl := from.hit.Age.Seconds(), from.ttl.Seconds()
		e.Age, e.TTL = &age, &ttl
	}
	return e
}

// ascii is JSON with all that a header must not hold escaped.
func ascii(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r > 0xffff:
			b.WriteString("?")
		default:
			const hex = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&15])
			}
		}
	}
	return b.String()
}

// noteLimits keeps what limits have decided, for the record and for clients that
// ask.
func (c *call) noteLimits(r *limits.Reservation) {
	noted := make([]gateway.Limited, len(r.Claims))
	for i := range r.Claims {
		claim, d := &r.Claims[i], &r.Decisions[i]
		noted[i] = gateway.Limited{Scope: claim.Scope, Name: claim.Name, Rule: claim.Rule, Asked: claim.Amount, Used: d.Used, Remaining: d.Remaining, Over: d.Over}
	}
	c.x.Update(func() { c.x.Limits = noted })
}
