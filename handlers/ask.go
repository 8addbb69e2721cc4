package handlers

import (
	"net/http"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// ask is what the targets of the call are chosen by.
func (c *call) ask() gateway.Ask {
	p := c.x.Principal
	ask := gateway.Ask{
		Operation: c.route.Operation,
		Model:     c.x.Model,
		Facts: gateway.Facts{
			Header: c.r.Header, Key: p.Key, Team: p.Team, User: p.User,
			Stream: c.x.Stream, Prompt: c,
		},
		By: balance.Request{
			Header: c.r.Header, Host: c.r.Host, ClientIP: clientIP(c.r), Key: p.Name(),
			Secure: c.r.TLS != nil, Cookies: c,
		},
		Costs: c,
	}
	if c.caller.key != nil {
		ask.Facts.Tags = c.caller.key.Tags
	}
	return ask
}

// Contents implements gateway.Prompt.
func (c *call) Contents() (tools, images bool) {
	if c.form != nil {
		return false, false
	}
	return doors.Contents(c.route.Operation, &c.x.Envelope)
}

// InputTokens implements gateway.Prompt.
func (c *call) InputTokens(limit int64) int64 {
	if c.form != nil {
		return 0
	}
	n, _ := c.proxy.tokens.Bound(c.countedModel(c.countedRoute()), c.route.Operation, &c.x.Envelope, int(limit))
	return int64(n)
}

// SetCookie implements balance.Cookies.
func (c *call) SetCookie(cookie *http.Cookie) {
	c.out.prepare(func() {
		h := c.out.w.Header()
		kept := h["Set-Cookie"][:0:0]
		for _, line := range h["Set-Cookie"] {
			if other, err := http.ParseSetCookie(line); err != nil || other.Name != cookie.Name {
				kept = append(kept, line)
			}
		}
		h["Set-Cookie"] = append(kept, cookie.String())
	})
}

// What is not known of a request when its costs are compared: how many bytes of
// its body make a token, and how long the answer will be.
const (
	roughBytes  = 4
	roughOutput = 500
)

// CostAt implements gateway.Costs, well enough to compare targets by: it counts no
// tokens.
func (c *call) CostAt(route *gateway.Route) int64 {
	price := c.priceOf(route.Target)
	if price == nil {
		return -1
	}
	output := c.x.Envelope.OutputCap
	if output == 0 {
		output = roughOutput
	}
	usage := wire.Usage{Input: int64(len(c.x.Envelope.Body()) / roughBytes), Output: output * c.x.Envelope.Choices}
	return price.Cost(prices.FromUsage(usage)).Total
}

// Interface guards.
var (
	_ gateway.Prompt  = (*call)(nil)
	_ gateway.Costs   = (*call)(nil)
	_ balance.Cookies = (*call)(nil)
)
