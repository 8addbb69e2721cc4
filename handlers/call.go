package handlers

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/inflight"
	"github.com/weirproxy/weir/internal/lifetime"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/gemini"
)

// call is one request on its way through the proxy. It belongs to the
// handler's goroutine, but for out, which the pulse writes to as well.
type call struct {
	proxy *Proxy
	r     *http.Request
	path  string
	route wire.Route
	id    string

	// x is nil for requests that cost nothing: unknown paths, model lists.
	x    *gateway.Exchange
	door wire.Door

	flight inflight.Call

	// way is where the call's attempts go, and target where the present one
	// does.
	way    way
	target *gateway.Route

	// routed is when the search for the first target was over.
	routed time.Time

	// caller is who asks; quota is what the call holds of limits, and cap the
	// cap on generated tokens that they make necessary, 0 for none.
	caller *caller
	quota  quota
	cap    int64

	// allowance is what the stream that is shown may bring before it is cut; nil
	// when nothing cuts it.
	allowance *allowance

	// ctx is cancelled when the request ends, or with one of gateway's causes;
	// those of attempts hang on it. unwatch is set by heed.
	ctx     context.Context // life
	life    lifetime.Context
	unwatch func() bool

	// renewed is set for a call that renews a kept answer: another may when this one
	// is over, which nobody is to hear of before.
	renewed func()

	// admitted says that the call counts as one that the gateway serves.
	admitted bool

	// handedOver says that something else ends ctx when it is done with it.
	handedOver bool

	// body is a JSON body, form a multipart one; one of them is nil.
	body *payload
	form *form

	// upstreamStart is when the first attempt began, current the last one.
	upstreamStart time.Time
	current       *attempt

	// first is the memory of the attempt that most calls make, limited of what
	// bounds the body, which is read before.
	first   attempt
	limited io.LimitedReader

	// keeping is what the cache has to do with the call, nil where it has nothing;
	// bypassed is the rule that wants it so, or `client` for its headers.
	// led is set while others may follow it or its answer may be kept, followed
	// when it has shown the end of another instance's, or of another's that broke
	// off.
	keeping  *keeping
	led      atomic.Pointer[lead]
	bypassed string
	followed *landing

	// shared says that the cache has let others know of the call, or the call of
	// others.
	shared bool

	// sequel is set while an attempt goes on with an answer that broke off, and
	// sequels counts those.
	sequel  *sequel
	sequels int

	out   output
	pulse pulse
}

func (p *Proxy) newCall(w http.ResponseWriter, r *http.Request) *call {
	c := &call{proxy: p, r: r, path: decodedPath(r.URL)}
	c.route = wire.Match(r.Method, c.path, r.Header.Get("Anthropic-Version") != "")
	c.out = output{w: w, rc: *http.NewResponseController(w), timeout: time.Duration(p.WriteTimeout)}
	if c.route.Stream && r.URL.Query().Get("alt") != "sse" {
		c.out.array = new(gemini.Array)
	}
	c.id = requestID(r)
	return c
}

// decodedPath decodes the path once: model ids in it may come with %2F or
// %3A.
func decodedPath(u *url.URL) string {
	if u.RawPath == "" {
		return u.Path
	}
	if path, err := url.PathUnescape(u.RawPath); err == nil {
		return path
	}
	return u.Path
}

// begin starts the exchange. From here on the request makes a record,
// whatever becomes of it.
func (c *call) begin() {
	p := c.proxy
	c.x = p.gateway.NewExchange(c.id)
	c.id = c.x.ID
	c.x.Operation, c.x.Dialect = c.route.Operation, c.route.Dialect
	c.door = doors.Of(c.route.Operation)
	// The upstream call must not end with the request's context alone: that
	// one is cancelled as soon as the handler returns, when the end of the
	// upstream's answer may not have been read yet.
	c.life.Begin(c.r.Context())
	c.ctx = &c.life
	if c.out.left != nil {
		c.heed()
	}
	inflight.Process.Add(&c.flight, c)
	p.metrics.Begin()
	c.setPlaceholders()
	c.identify()
}

// heed has the call end when its client leaves. It must run before the call waits
// for anything but that client: a kept answer that is at hand ends sooner than
// anybody would have to be told.
func (c *call) heed() {
	if c.unwatch != nil {
		return
	}
	c.unwatch = context.AfterFunc(c.r.Context(), func() {
		if !c.out.detach() && !c.handsOver() {
			c.cancel(gateway.ErrClientGone)
		}
	})
}

// Cancel implements inflight.Work.
func (c *call) Cancel(cause error) { c.cancel(cause) }

// cancel ends what is done for the call.
func (c *call) cancel(cause error) { c.life.End(cause) }

// timed writes the time since start into one of the exchange's timings, and returns
// what time it is.
func (c *call) timed(start time.Time, into *time.Duration) time.Time {
	now := c.proxy.gateway.Now()
	c.x.Update(func() { *into = now.Sub(start) })
	return now
}

// setPlaceholders makes {http.ai.*} answer lazily: most sites use none.
func (c *call) setPlaceholders() {
	if repl, ok := c.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(c.placeholder)
	}
}
