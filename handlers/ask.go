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
func (c *call) ask() *gateway.Ask {
	p := c.x.Principal
	ask := &gateway.Ask{
		Operation: c.route.Operation,
		Model:     c.x.Model,
		Facts: gateway.Facts{
			Header: c.r.Header, Key: p.Key, Team: p.Team, User: p.User,
			Stream: c.x.Stream, InputTokens: c.inputTokens,
		},
		By: balance.Request{
			Header: c.r.Header, Host: c.r.Host, ClientIP: clientIP(c.r), Key: p.Name(),
			Secure: c.r.TLS != nil, SetCookie: c.setCookie,
		},
		Cost: c.roughCost,
	}
	if c.caller.key != nil {
		ask.Facts.Tags = c.caller.key.Tags
	}
	if c.form == nil {
		ask.Facts.Contents = func() (tools, images bool) { return doors.Contents(c.route.Operation, &c.x.Envelope) }
	}
	return ask
}

// inputTokens counts the prompt as exactly as limit demands.
func (c *call) inputTokens(limit int64) int64 {
	if c.form != nil {
		return 0
	}
	n, _ := c.proxy.tokens.Bound(c.countedModel(), c.route.Operation, &c.x.Envelope, int(limit))
	return int64(n)
}

// setCookie hands the client a cookie, unless its headers are out.
func (c *call) setCookie(cookie *http.Cookie) {
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

// roughCost is good enough to compare targets by: it counts no tokens.
func (c *call) roughCost(route *gateway.Route) int64 {
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
