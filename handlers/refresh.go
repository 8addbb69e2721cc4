package handlers

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/cache"
)

// attend has the pulse look after a client that waits without an attempt of its
// own: for another's answer, or for one that is shown slowly.
func (c *call) attend() {
	c.heed()
	if c.x.Stream {
		c.out.expectStream(c.door)
	}
	c.pulse.start(c, c.limits(c.target).Total)
}

// refresh renews a kept answer that is shown although it is no longer fresh: a
// request like this one, without its client, for which the caller pays.
func (c *call) refresh() {
	k := c.keeping
	if !c.proxy.kept.Refreshes.Begin(k.key) {
		return
	}
	answers, scope, terms := k.exact.answers, k.scope, k.exact.terms()
	c.shared = true
	body := bytes.Clone(c.x.Envelope.Body())
	ctx := context.WithoutCancel(c.r.Context())
	// What the handlers before this one have found out stays; what belongs to the
	// first request's log does not.
	if vars, ok := ctx.Value(caddyhttp.VarsCtxKey).(map[string]any); ok {
		ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, maps.Clone(vars))
	}
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	ctx = context.WithValue(ctx, caddyhttp.ExtraLogFieldsCtxKey, new(caddyhttp.ExtraLogFields))
	r := c.r.Clone(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set(headerCache, "refresh")
	for _, name := range []string{"Cache-Control", headerResume, headerRequestID, "Content-Encoding"} {
		r.Header.Del(name)
	}
	go func() {
		end := sync.OnceFunc(func() { c.proxy.kept.Refreshes.End(k.key) })
		defer end()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				c.proxy.logger.Error("refreshing kept answer: " + crashed(p).Error())
			}
		}()
		if renewed, ok := answers.Fetch(ctx, k.key, scope); ok && terms.State(k.key, renewed.Age) == cache.Fresh {
			return // another instance has done it, and now it is here as well
		}
		renewing := c.proxy.newCall(nowhere{http.Header{}}, r)
		renewing.renewed = end
		_ = renewing.exchange()
	}()
}
