package handlers

import (
	"net/http"
	"strconv"

	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// announceShared says that the answer is another call's, and who gave it. It runs
// while no heartbeat may send the headers.
func (c *call) announceShared(head *flight.Head) {
	c.x.Update(func() {
		c.x.Cache = gateway.CacheCoalesced
		c.x.Target = gateway.Target{Provider: head.Provider, Model: head.Model}
	})
	c.countLookup(gateway.CacheCoalesced)
	c.nameTarget()
	setHeader(c.out.w.Header(), headerAttempts, strconv.Itoa(head.Attempts))
	showCollapsed(c.out.w.Header())
	c.tell()
}

// setFreeUsage names the tokens of a whole answer that is not paid for.
func (c *call) setFreeUsage(usage wire.Usage) {
	var t texts
	t.number(headerInputTokens, usage.Input)
	t.number(headerOutputTokens, usage.Output)
	t.number(headerCost, 0)
	c.out.setAll(&t)
}

// showFree shows a whole answer that is not paid for.
func (c *call) showFree(body []byte) error {
	h := c.out.w.Header()
	setHeader(h, "Content-Type", "application/json")
	setHeader(h, "Content-Length", strconv.Itoa(len(body)))
	return c.sent(c.writes(func() error { return c.out.whole(http.StatusOK, body) }))
}
