package handlers

import (
	"net/http"

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
	c.out.showCollapsed()
	t := newTexts()
	t.number(headerAttempts, int64(head.Attempts))
	c.tellIn(t)
}

// appendFree names the tokens of a whole answer that is not paid for, and its length.
func (c *call) appendFree(t *texts, usage wire.Usage, length int) {
	t.number(headerInputTokens, usage.Input)
	t.number(headerOutputTokens, usage.Output)
	t.number(headerCost, 0)
	t.number("Content-Length", int64(length))
}

// showFree shows a whole answer that is not paid for, whose tokens are usage.
func (c *call) showFree(usage wire.Usage, body []byte) error {
	t := newTexts()
	c.appendFree(t, usage, len(body))
	c.out.setAll(t)
	return c.showWhole(body)
}

// showWhole shows a whole answer whose length is in the header already.
func (c *call) showWhole(body []byte) error {
	c.out.set("Content-Type", "application/json")
	return c.sent(c.writes(func() error { return c.out.whole(http.StatusOK, body) }))
}
