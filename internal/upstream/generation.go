package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/weirproxy/weir/internal/http1"
)

// generation is one instance of a transport, with its connections. It is
// retired when its transport is no longer configured, or when names resolve to
// other addresses than those that it is connected to: no request begins on it
// then, those in flight go on, and its connections are closed after the last.
type generation struct {
	rt     http.RoundTripper
	std    *http.Transport  // nil for modules that are not Caddy's own
	plain  *http1.Transport // for http:// URLs; nil where std has to make those calls too
	traced bool             // rt tells a request's trace which connection it has
	h2c    bool
	unload context.CancelFunc // nil when the configuration unloads the module

	conns   conns
	refs    atomic.Int64 // requests in flight, and one for the owner
	retired atomic.Bool
	closing sync.Mutex
}

// newGeneration wraps a module that has been loaded.
func newGeneration(rt http.RoundTripper, socket string) *generation {
	g := &generation{rt: rt}
	g.refs.Store(1)
	if t, ok := rt.(*reverseproxy.HTTPTransport); ok && t.Transport != nil {
		g.std = t.Transport
		g.traced = len(t.Versions) != 1 || t.Versions[0] != "3"
		for _, version := range t.Versions {
			g.h2c = g.h2c || version == "h2c"
		}
		next := g.std.DialContext
		g.std.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if socket != "" {
				network, address = "unix", socket
			}
			c, err := watchDial(ctx, next, network, address)
			if err != nil {
				return nil, err
			}
			return g.conns.add(c, address), nil
		}
		if g.traced && !g.h2c && g.std.Proxy == nil {
			g.plain = newPlain(g.std)
		}
	}
	return g
}

// acquire keeps the connections for a request. Every acquire is followed by
// one release.
func (g *generation) acquire() {
	g.refs.Add(1)
	if g.retired.Load() {
		// They may just be closed as nobody's; wait until that is over.
		g.closing.Lock()
		defer g.closing.Unlock()
	}
}

func (g *generation) release() {
	if g.refs.Add(-1) > 0 {
		return
	}
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.refs.Load() > 0 {
		return // a call of a configuration that is gone, see acquire
	}
	g.closeIdle()
	if g.unload != nil {
		g.unload()
	}
	// HTTP/2 may not have noticed yet that a connection's last stream is over.
	for _, c := range g.conns.list() {
		_ = c.Close()
	}
}

func (g *generation) closeIdle() {
	if g.std != nil {
		g.std.CloseIdleConnections()
	}
	if g.plain != nil {
		g.plain.CloseIdleConnections()
	}
}

// retire takes the owner's reference away.
func (g *generation) retire() {
	g.retired.Store(true)
	g.closeIdle()
	g.release()
}

// heldBody is an answer's body that keeps the connections until it is closed.
type heldBody struct {
	io.ReadCloser
	generation *generation
	once       sync.Once
	header     http.Header // the request's, if its transport tells when it is done with it
}

func (b *heldBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.generation.release)
	return err
}

// Recycle implements http1.Recycler.
func (b *heldBody) Recycle() (done bool) {
	r, ok := b.ReadCloser.(http1.Recycler)
	if !ok || !r.Recycle() {
		return false
	}
	if h := b.header; h != nil {
		b.header = nil
		recycleHeader(h)
	}
	return true
}
