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
	h := c.out.w.Header()
	setHeader(h, headerRequestID, c.id)
	if c.route.Dialect == wire.Anthropic {
		setHeader(h, headerAnthropicID, c.id)
	}
	// Answers are made for one caller, and are no pages.
	setHeader(h, "Cache-Control", "no-store")
	setHeader(h, "X-Content-Type-Options", "nosniff")
}

// setHeader sets a header whose name is in canonical form already.
func setHeader(h http.Header, name, value string) { h[name] = []string{value} }

// nameTarget says which model answers, and whether that is another than the one asked for.
func (c *call) nameTarget() {
	h := c.out.w.Header()
	setHeader(h, headerProvider, c.x.Target.Provider)
	setHeader(h, headerModel, c.x.Target.Model)
	if c.x.Downgraded != "" {
		setHeader(h, headerDowngraded, headerText(c.x.Model))
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

func upstreamID(provider gateway.Provider, h http.Header) string {
	for _, name := range upstreamIDs {
		if id := h.Get(name); id != "" && len(id) <= 256 {
			return string(redact(provider, []byte(id)))
		}
	}
	return ""
}

// copyHeader takes from an upstream's header what a client may see. The rest
// names accounts, regions and limits that the gateway's callers share.
func (c *call) copyHeader(provider gateway.Provider, from http.Header) {
	h := c.out.w.Header()
	for _, name := range []string{"Content-Type", "Content-Disposition"} {
		if v := from.Get(name); v != "" {
			setHeader(h, name, v)
		}
	}
	if id := upstreamID(provider, from); id != "" {
		setHeader(h, headerUpstreamID, id)
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

// setRetry tells SDKs whether and when to try again: without it they retry
// every 429 and 5xx, also those that cannot succeed.
func setRetry(h http.Header, e *gateway.Error) {
	if !e.Kind.Retryable() || e.NoRetry {
		setHeader(h, headerRetry, "false")
		return
	}
	setHeader(h, headerRetry, "true")
	wait := e.RetryAfter
	if wait <= 0 {
		wait = time.Second
	}
	setHeader(h, "Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	setHeader(h, "Retry-After-Ms", strconv.FormatInt(wait.Milliseconds(), 10))
}

// tell writes what a client may know of how its answer came about.
func (c *call) tell() {
	c.setTiming()
	c.setExplain()
}

// setTiming writes Server-Timing with the phases that are over.
func (c *call) setTiming() {
	now := c.proxy.gateway.Now()
	t := c.x.Timings
	t.Total = now.Sub(c.x.Start)
	if !c.upstreamStart.IsZero() {
		t.Upstream = now.Sub(c.upstreamStart)
	}
	var room [256]byte
	line := room[:0]
	for _, phase := range [...]struct {
		name string
		d    time.Duration
		must bool
	}{
		{"auth", t.Auth, true},
		{"queue", t.Queue, false},
		{"limit", t.Limit, false},
		{"cache", t.Cache, false},
		{"route", t.Route, true},
		{"upstream", t.Upstream, true},
		{"total", t.Total, true},
	} {
		if phase.d == 0 && !phase.must {
			continue
		}
		if len(line) > 0 {
			line = append(line, ", "...)
		}
		line = append(line, phase.name...)
		line = append(line, ";dur="...)
		line = strconv.AppendFloat(line, float64(phase.d.Microseconds())/1000, 'f', 3, 64)
	}
	setHeader(c.out.w.Header(), headerServerTiming, string(line))
}

// setUsage names the tokens of a complete answer.
func (c *call) setUsage(usage wire.Usage) {
	h := c.out.w.Header()
	setHeader(h, headerInputTokens, strconv.FormatInt(usage.Input, 10))
	setHeader(h, headerOutputTokens, strconv.FormatInt(usage.Output, 10))
	if nano, ok := c.x.CostOf(usage); ok {
		setHeader(h, headerCost, prices.FormatUSD(nano))
	}
}
