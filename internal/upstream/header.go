package upstream

import (
	"net/http"
	"sync"

	"github.com/weirproxy/weir/gateway"
)

// Values of header fields that are the same in every call. All calls share them,
// so nobody may write into one; each has no room for a second value.
var (
	accepts     = []string{"*/*"}
	acceptsSSE  = []string{"text/event-stream"}
	uncoded     = []string{"identity"}
	agents      = []string{userAgent}
	contentJSON = []string{"application/json"}
)

// headers holds empty ones, of requests that were answered. usualFields are as many
// as most have.
var headers = sync.Pool{New: func() any { return make(http.Header, usualFields) }}

const usualFields = 8

// recycleHeader gives a request's header to the next one: nobody may have it.
func recycleHeader(h http.Header) {
	if len(h) <= 2*usualFields {
		clear(h)
		headers.Put(h)
	}
}

// header builds the upstream's header from nothing: what a client sends goes
// on only if the vendor's protocol names it. Credentials, cookies, forwarded
// addresses and idempotency keys therefore never do; the last would make
// net/http send a POST twice by itself.
func (c *Client) header(call *gateway.Call, of *account) http.Header {
	of.once.Do(func() { of.prepare(c) })
	h := headers.Get().(http.Header)
	c.forwardTo(h, call.Header)
	for name, values := range of.defaults {
		if _, ok := h[name]; !ok {
			h[name] = values
		}
	}
	switch call.ContentType {
	case "":
	case contentJSON[0]:
		h["Content-Type"] = contentJSON
	default:
		h["Content-Type"] = []string{call.ContentType}
	}
	switch {
	case call.Stream && of.stream != nil:
		h["Accept"] = of.stream
	case call.Stream:
		h["Accept"] = acceptsSSE
	default:
		h["Accept"] = accepts
	}
	for name, values := range of.fixed {
		h[name] = values
	}
	return h
}

// prepare makes what the calls of an account have in common.
func (a *account) prepare(c *Client) {
	a.defaults = make(http.Header, len(c.vendor.Defaults))
	for name, value := range c.vendor.Defaults {
		a.defaults[name] = []string{value}
	}
	if c.vendor.StreamType != "" {
		a.stream = []string{c.vendor.StreamType}
	}
	// An answer that is compressed would have to be unpacked to be read, and
	// a stream would be held back by the compressor.
	a.fixed = http.Header{"Accept-Encoding": uncoded, "User-Agent": agents}
	for name, value := range c.headers {
		a.fixed[name] = []string{value}
	}
	if !a.key.IsZero() && c.vendor.Authorize != nil {
		c.vendor.Authorize(a.fixed, a.key)
	}
}
