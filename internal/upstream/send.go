package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/internal/http1"
)

// maxStale bounds how many connections may turn out to be dead one after
// another before a call is given up.
const maxStale = 4

// flight is how far one request came.
type flight struct {
	generation *generation
	connected  bool // it had a connection
	reused     bool
	h2         bool
	conn       *conn // nil when it is not known
	before     int64 // what conn had written by then
	wrote      atomic.Bool

	plain   bool // it went through generation.plain, which tells
	untaken bool // that the connection took nothing of it

	body heldBody // of its answer
}

// trace returns ctx with hooks that fill in f. They may be called after the
// round trip, by a dial that was for nothing.
func (f *flight) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Called on the goroutine of the round trip.
		GotConn: func(info httptrace.GotConnInfo) {
			f.connected, f.reused = true, info.Reused
			f.h2 = f.generation.h2c
			if t, ok := info.Conn.(*tls.Conn); ok {
				f.h2 = t.ConnectionState().NegotiatedProtocol == "h2"
			}
			if f.conn = connOf(info.Conn); f.conn != nil {
				f.before = f.conn.written.Load()
				f.conn.suspect.Store(f.reused && !f.h2)
			}
		},
		// Called before the first byte leaves; WroteHeaders comes after it in
		// HTTP/2.
		WroteHeaderField: func(string, []string) { f.wrote.Store(true) },
	})
}

// unsent reports whether it is certain that the upstream has processed nothing
// of the request, after its round trip failed with err.
func (f *flight) unsent(err error) bool {
	switch {
	case f.plain:
		return !f.connected || f.untaken
	case !f.generation.traced:
		return false
	case !f.connected, !f.wrote.Load():
		return true
	case f.h2:
		return refused(err.Error())
	}
	return f.conn != nil && f.conn.written.Load() == f.before
}

// refused reports whether an HTTP/2 upstream said that it has not processed a stream
// (RFC 9113, 8.7). The transport wraps neither of the errors that tell so; another,
// of a connection that is gone, quotes what the upstream likes.
func refused(text string) bool {
	if strings.Contains(text, "debug=") {
		return false
	}
	return strings.Contains(text, "REFUSED_STREAM") || strings.Contains(text, "graceful shutdown GOAWAY")
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) { return t.send(req) }

// send makes a round trip. net/http would send a body again by itself when it
// has an idempotency key, and would show the caller a connection that closed
// while it lay idle. So it is not given the means for the former, and the
// latter is repaired here: a request goes out again only when a connection
// that had been used before took nothing of it.
func (t *transport) send(req *http.Request) (*http.Response, error) {
	again := req.GetBody
	ctx := req.Context()
	g := t.acquire()
	for stale := 1; ; stale++ {
		f := &flight{generation: g}
		res, err := f.roundTrip(req)
		if err == nil {
			f.body.ReadCloser, f.body.generation = res.Body, g
			if f.plain {
				f.body.header = req.Header
			}
			res.Body = &f.body
			return res, nil
		}
		if context.Cause(ctx) != nil || stale == maxStale || !f.connected || !f.reused || !f.unsent(err) {
			g.release()
			return nil, explain(ctx, f, err)
		}
		body, ok := rewind(req, again)
		if !ok {
			g.release()
			return nil, explain(ctx, f, err)
		}
		next := *req
		next.Body = body
		req = &next
	}
}

// roundTrip makes one.
func (f *flight) roundTrip(req *http.Request) (*http.Response, error) {
	g := f.generation
	if f.plain = g.plain != nil && http1.Takes(req.URL); f.plain {
		res, err := g.plain.RoundTrip(req)
		var failure *http1.Error
		if errors.As(err, &failure) {
			f.connected, f.reused, f.untaken = failure.Connected, failure.Reused, failure.Unsent
		}
		return res, err
	}
	ctx := req.Context()
	// Caddy's transport writes into the request's vars while the dial may
	// outlive the call, so every call gets a map of its own; it panics where
	// there is no replacer.
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{})
	if _, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); !ok {
		ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	}
	sent := req.WithContext(f.trace(ctx))
	sent.GetBody = nil
	res, err := g.rt.RoundTrip(sent)
	if err == nil {
		res.Request = req
	}
	return res, err
}

// rewind returns the body of a request once more.
func rewind(req *http.Request, again func() (io.ReadCloser, error)) (io.ReadCloser, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Body, true
	}
	if again == nil {
		return nil, false
	}
	body, err := again()
	return body, err == nil
}

// Interface guard.
var _ http.RoundTripper = (*transport)(nil)
