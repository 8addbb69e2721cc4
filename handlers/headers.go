package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// The headers that Weir adds, in canonical form.
const (
	headerRequestID    = "X-Request-Id"
	headerAnthropicID  = "Request-Id"
	headerUpstreamID   = "X-Upstream-Request-Id"
	headerProvider     = "X-Ai-Provider"
	headerModel        = "X-Ai-Model"
	headerAttempts     = "X-Ai-Attempts"
	headerDowngraded   = "X-Ai-Downgraded"
	headerQueue        = "X-Ai-Queue-Position"
	headerInputTokens  = "X-Ai-Input-Tokens"
	headerOutputTokens = "X-Ai-Output-Tokens"
	headerCost         = "X-Ai-Cost-Usd"
	headerServerTiming = "Server-Timing"
	headerRetry        = "X-Should-Retry"
)

// requestID returns the client's id of the request if it is short and safe
// to log and to echo, else nothing.
func requestID(r *http.Request) string {
	id := r.Header.Get(headerRequestID)
	if len(id) == 0 || len(id) > 128 {
		return ""
	}
	for i := range len(id) {
		c := id[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':') {
			return ""
		}
	}
	return id
}

// identify names the request in the answer's header.
func (c *call) identify() {
	if c.id == "" {
		c.id = c.proxy.gateway.NewID()
	}
	c.out.set(headerRequestID, c.id)
	if c.route.Dialect == wire.Anthropic {
		c.out.set(headerAnthropicID, c.id)
	}
	// Answers are made for one caller, and are no pages.
	c.out.set("Cache-Control", "no-store")
	c.out.set("X-Content-Type-Options", "nosniff")
}

// setHeader sets a header whose name is in canonical form already.
func setHeader(h http.Header, name, value string) { h[name] = []string{value} }

// nameTarget says which model answers, and whether that is another than the one asked for.
func (c *call) nameTarget() {
	c.out.set(headerProvider, c.x.Target.Provider)
	c.out.set(headerModel, c.x.Target.Model)
	if c.x.Downgraded != "" {
		c.out.set(headerDowngraded, headerText(c.x.Model))
	}
}

// headerText is text without what a header must not hold (RFC 9110, 5.5).
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// upstreamIDs are the headers in which vendors name a request.
var upstreamIDs = []string{"X-Request-Id", "Request-Id", "X-Amzn-Requestid", "Apim-Request-Id", "X-Generation-Id", "X-Ds-Trace-Id", "Mistral-Correlation-Id"}

// upstreamID is the id in an upstream's header, without the account's key, should
// somebody have that there.
func upstreamID(provider gateway.Provider, h http.Header) string {
	for _, name := range upstreamIDs {
		values := h[name]
		if len(values) == 0 || values[0] == "" || len(values[0]) > maxUpstreamID {
			continue
		}
		return redactText(provider, values[0])
	}
	return ""
}

const maxUpstreamID = 256

// copyHeader takes from an upstream's header what a client may see; id is its id of
// the request. The rest names accounts, regions and limits that the gateway's
// callers share.
func (c *call) copyHeader(from http.Header, id string) {
	for _, name := range [...]string{"Content-Type", "Content-Disposition"} {
		if v := from[name]; len(v) > 0 && v[0] != "" {
			c.out.set(name, v[0])
		}
	}
	if id != "" {
		c.out.set(headerUpstreamID, id)
	}
}

// copyRetry takes over an error's hints for a retry.
func (c *call) copyRetry(from http.Header) {
	h := c.out.w.Header()
	for _, name := range []string{"Retry-After", "Retry-After-Ms", headerRetry} {
		if v := from.Get(name); v != "" {
			setHeader(h, name, v)
		}
	}
}

// appendRetry tells SDKs whether and when to try again: without it they retry
// every 429 and 5xx, also those that cannot succeed. A budget that is spent is not
// to be tried again by itself, but people learn when there is money again.
func appendRetry(t *texts, e *gateway.Error) {
	should := (e.Kind.Retryable() || e.Kind == wire.KindConflict) && !e.NoRetry
	t.value(headerRetry, strconv.FormatBool(should))
	wait := e.RetryAfter
	switch {
	case e.NoRetry, wait <= 0 && !should:
		return
	case wait <= 0:
		wait = time.Second
	}
	t.number("Retry-After", int64(roundUp(wait, time.Second)/time.Second))
	t.number("Retry-After-Ms", roundUp(wait, time.Millisecond).Milliseconds())
}

// tell writes what a client may know of how its answer came about.
func (c *call) tell() {
	c.tellIn(newTexts())
}

// tellIn does so together with the fields of t, which it releases.
func (c *call) tellIn(t *texts) {
	c.appendTold(t)
	c.out.setAll(t)
	c.setExplain()
}

// appendTold writes what has not been told of limits and the times.
func (c *call) appendTold(t *texts) {
	if q := &c.quota; q.told != nil {
		t.join(q.told)
		q.told = nil
	}
	c.appendTiming(t)
}

// appendTiming writes Server-Timing with the phases that are over.
func (c *call) appendTiming(t *texts) {
	now := c.proxy.gateway.Now()
	var took gateway.Timings
	c.x.Update(func() { took = c.x.Timings }) // a rival that has lost may still note its end
	took.Total = now.Sub(c.x.Start)
	if !c.upstreamStart.IsZero() {
		took.Upstream = now.Sub(c.upstreamStart)
	}
	line, empty := t.text, len(t.text)
	for _, phase := range [...]struct {
		name string
		d    time.Duration
		must bool
	}{
		{"auth", took.Auth, true},
		{"queue", took.Queue, false},
		{"limit", took.Limit, false},
		{"cache", took.Cache, false},
		{"route", took.Route, true},
		{"upstream", took.Upstream, true},
		{"total", took.Total, true},
	} {
		if phase.d == 0 && !phase.must {
			continue
		}
		if len(line) > empty {
			line = append(line, ", "...)
		}
		line = append(line, phase.name...)
		line = append(line, ";dur="...)
		line = strconv.AppendFloat(line, float64(phase.d.Microseconds())/1000, 'f', 3, 64)
	}
	t.text = line
	t.end(headerServerTiming)
}

// appendUsage names the tokens of a complete answer.
func (c *call) appendUsage(t *texts, usage wire.Usage) {
	t.number(headerInputTokens, usage.Input)
	t.number(headerOutputTokens, usage.Output)
	if nano, ok := c.x.CostOf(usage); ok {
		t.text = prices.AppendUSD(t.text, nano)
		t.end(headerCost)
	}
}
