// Package http1 is a client for HTTP/1.1 upstreams whose calls run on their
// caller's goroutine: one write for a request that is in memory, no reader and
// no buffer beside an answer's stream. net/http's Transport has two goroutines
// and two buffers for each connection, and hands each call over four times.
//
// It does less than that one: no TLS, no proxies, no cookies, redirects,
// upgrades or compression, no Expect, and no trailers for the caller, though
// they are read. It never sends a request twice.
package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Transport makes calls to http:// URLs and keeps the connections. It is safe
// for concurrent use; its exported fields must not change once it is used.
type Transport struct {
	// Dial opens a connection to address, which is a host and a port. Its
	// context ends when nobody waits for the connection any more.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxIdlePerHost and MaxIdle bound the connections that are kept for later
	// calls; with a MaxIdlePerHost of 0 none is, a MaxIdle of 0 is no bound.
	MaxIdlePerHost int
	MaxIdle        int

	// MaxPerHost bounds the connections to a host, those that are dialled
	// included; calls wait for one. 0: no bound.
	MaxPerHost int

	// IdleTimeout is how long a connection is kept; 0: for ever.
	IdleTimeout time.Duration

	// HeaderTimeout is how long the head of an answer is waited for after the
	// request was written, or what of it the connection took at once; 0: for
	// ever.
	HeaderTimeout time.Duration

	// MaxHead bounds the head of an answer, in bytes, those of 1xx included.
	MaxHead int

	mu    sync.RWMutex
	hosts map[string]*host // only those that are configured: few
	idle  atomic.Int64     // connections
}

// Memory is what the body of a request implements that is in memory: Parts
// appends to dst what has not been read of it, piece by piece. The pieces stay
// as they are until it is closed.
type Memory interface {
	Parts(dst [][]byte) [][]byte
}

// Error is why a round trip failed, and how far it came. That its caller's
// context ended is not told so, but with the context's cause.
type Error struct {
	// Connected says that there was a connection, Reused that an earlier call
	// had it.
	Connected, Reused bool

	// Unsent says that no byte of the request has left.
	Unsent bool

	Err error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// timeoutError is a net.Error.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string   { return e.text }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

var errHeaderTimeout error = &timeoutError{"timeout awaiting response headers"}

// Takes reports whether u can be called. Names that would have to be converted
// first, and addresses with a zone, cannot.
func Takes(u *url.URL) bool {
	if !supported || u.Scheme != "http" || u.Host == "" || u.Opaque != "" {
		return false
	}
	for i := range len(u.Host) {
		if c := u.Host[i]; c <= ' ' || c >= 0x7f || c == '%' || c == '/' || c == '@' {
			return false
		}
	}
	return true
}

// RoundTrip implements http.RoundTripper. Errors but that of an ended context
// are *Error. The request's body is closed, perhaps later.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !Takes(req.URL) {
		closeBody(req)
		return nil, &Error{Err: errors.New("sending: the URL is not of a plain HTTP server")}
	}
	ctx := req.Context()
	if cause := context.Cause(ctx); cause != nil {
		closeBody(req)
		return nil, cause
	}
	last := req.Close || t.MaxIdlePerHost <= 0
	out, err := newOutgoing(req, last)
	if err != nil {
		closeBody(req)
		return nil, &Error{Err: err}
	}
	c, reused, err := t.host(req.URL.Host).take(ctx)
	if err != nil {
		out.release()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, &Error{Err: err}
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.Conn, Reused: reused, WasIdle: reused})
	}
	x := &exchange{conn: c, ctx: ctx, head: req.Method == http.MethodHead, limit: t.MaxHead}
	x.res.Request = req
	x.last = last || hasToken(req.Header["Connection"], "close")
	x.parts.Store(1)
	x.watch()
	if n, err := x.send(out); err != nil && n == 0 {
		x.leave(false)
		return nil, x.failed(reused, true, err)
	}
	if err := x.receive(t.HeaderTimeout); err != nil {
		x.leave(false)
		return nil, x.failed(reused, false, err)
	}
	return &x.res, nil
}

func (x *exchange) failed(reused, unsent bool, err error) error {
	if cause := context.Cause(x.ctx); cause != nil {
		return cause
	}
	return &Error{Connected: true, Reused: reused, Unsent: unsent, Err: err}
}

// CloseIdleConnections closes the connections that no call uses, and those in
// use after their calls, until there is another call.
func (t *Transport) CloseIdleConnections() {
	t.mu.RLock()
	all := make([]*host, 0, len(t.hosts))
	for _, h := range t.hosts {
		all = append(all, h)
	}
	t.mu.RUnlock()
	for _, h := range all {
		h.closeIdle()
	}
}

func (t *Transport) host(name string) *host {
	t.mu.RLock()
	h := t.hosts[name]
	t.mu.RUnlock()
	if h != nil {
		return h
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.hosts[name]; h != nil {
		return h
	}
	if t.hosts == nil {
		t.hosts = make(map[string]*host)
	}
	h = &host{transport: t, address: withPort(name)}
	t.hosts[strings.Clone(name)] = h
	return h
}

// withPort returns the address that a URL's host stands for.
func withPort(name string) string {
	u := url.URL{Host: name}
	if u.Port() != "" {
		return name
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// Interface guard.
var _ http.RoundTripper = (*Transport)(nil)
