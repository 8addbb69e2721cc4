package handlers

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// payload is a body in memory, in a pooled buffer. The transport may go on
// reading it after the upstream has answered, so whoever uses it holds a
// reference, and the buffer returns to the pool with the last one.
type payload struct {
	bytes []byte
	refs  atomic.Int32
}

// maxPooled is the largest buffer that is kept for the next request.
const maxPooled = 1 << 20

// buffers holds *payload with empty bytes.
var buffers = sync.Pool{New: func() any { return new(payload) }}

func newPayload() *payload {
	p := buffers.Get().(*payload)
	p.bytes = p.bytes[:0]
	p.refs.Store(1)
	return p
}

// release gives up one reference. A nil payload has none.
func (p *payload) release() {
	if p != nil && p.refs.Add(-1) == 0 && cap(p.bytes) <= maxPooled {
		buffers.Put(p)
	}
}

// hold takes another reference.
func (p *payload) hold() *payload {
	p.refs.Add(1)
	return p
}

// read takes the body in, once and to its end: net/http only watches for
// clients that leave when there is nothing left to read. Then it learns from
// it what has to be known.
func (c *call) read() error {
	mediaType, params, _ := parseMediaType(c.r.Header.Get("Content-Type"))
	if c.route.Operation.Form && strings.HasPrefix(mediaType, "multipart/") {
		return c.readForm(params["boundary"])
	}
	c.body = newPayload()
	if err := c.readBody(c.body); err != nil {
		return err
	}
	env := &c.x.Envelope
	if err := env.Decode(c.route.Operation, c.body.bytes); err != nil {
		return gateway.AsError(err)
	}
	if c.route.Model != "" { // Gemini names it in the path
		if err := wire.CheckModel(c.route.Model); err != nil {
			return gateway.AsError(err)
		}
		env.Model = c.route.Model
	}
	env.Stream = env.Stream || c.route.Stream
	c.x.Update(func() { c.x.Model, c.x.Stream = env.Model, env.Stream })
	return c.proxy.policy.Check(gateway.ScopeSite, "", env)
}

// readBody reads the whole body into p, unpacked and bounded.
func (c *call) readBody(p *payload) error {
	limit := c.proxy.MaxBody
	if c.r.ContentLength > limit {
		return tooLarge("body", "max_body", limit, c.r.ContentLength)
	}
	src, packed, err := plain(c.r.Body, c.r.Header, limit)
	if err != nil {
		return err
	}
	if n := c.r.ContentLength; n > 0 && !packed {
		p.bytes = grow(p.bytes, int(n)+bytes.MinRead)
	}
	buf := bytes.NewBuffer(p.bytes)
	c.limited = io.LimitedReader{R: src, N: limit + 1}
	n, err := buf.ReadFrom(&c.limited)
	c.limited.R = nil
	p.bytes = buf.Bytes()
	c.r.Body = http.NoBody
	switch {
	case err != nil:
		return c.readFailed(err)
	case n > limit:
		return tooLarge("body", "max_body", limit, 0)
	case n == 0:
		return gateway.Invalid("", "the body is empty; send a JSON object")
	}
	return nil
}

// plain is a request's body without its encoding; of one that is packed, no more than
// limit bytes are read. Matchers look at bodies with it, too: what ai_proxy can read must not be
// hidden from them.
func plain(body io.Reader, header http.Header, limit int64) (src io.Reader, packed bool, err error) {
	switch encoding := header.Get("Content-Encoding"); coding(encoding) {
	case "", "identity":
		return body, false, nil
	case "gzip":
		unpacked, err := gzip.NewReader(io.LimitReader(body, limit+1))
		if err != nil {
			return nil, true, gateway.Invalid("", "the body is not valid gzip")
		}
		return unpacked, true, nil
	default:
		return nil, true, gateway.Invalid("", "the body's content encoding '%s' is not supported; send it plain or with gzip", encoding)
	}
}

// coding is a content coding by its usual name (RFC 9110, 8.4.1).
func coding(name string) string {
	if name = strings.ToLower(name); name == "x-gzip" {
		return "gzip"
	}
	return name
}

func grow(b []byte, n int) []byte {
	if cap(b) >= n {
		return b
	}
	return make([]byte, 0, n)
}

// readFailed words why a body could not be read. A handler before this one
// may have a limit of its own, which it reports as an HTTP error.
func (c *call) readFailed(err error) error {
	var status caddyhttp.HandlerError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return tooLarge("body", "max_body", tooBig.Limit, 0)
	case errors.As(err, &status) && status.StatusCode == http.StatusRequestEntityTooLarge:
		return &gateway.Error{Kind: wire.KindTooLarge, Message: "the body is larger than this site allows", Cause: err}
	case c.r.Context().Err() != nil:
		return gateway.ErrClientGone
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return gateway.Invalid("", "the body is not valid gzip")
	default:
		return &gateway.Error{Kind: wire.KindInvalid, Message: "the body could not be read to its end", Cause: err}
	}
}

// tooLarge refuses a body or form of so many bytes, 0 if that is not known: nobody
// has read it to its end.
func tooLarge(what, option string, limit, size int64) error {
	message := fmt.Sprintf("the %s is larger than the %d bytes that this site allows (%s)", what, limit, option)
	if size > 0 {
		message += fmt.Sprintf("; it has %d", size)
	}
	return &gateway.Error{Kind: wire.KindTooLarge, Message: message}
}
