package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/http1"
)

// dialer is the signature of http.Transport.DialContext.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// dialError says in which phase a dial failed. Caddy's own error for it hides
// its cause, so the phases are watched while they pass.
type dialError struct {
	phase   string
	timeout bool
	cause   error
}

func (e *dialError) Error() string { return e.cause.Error() }
func (e *dialError) Unwrap() error { return e.cause }

// watchDial calls next and words its error.
func watchDial(ctx context.Context, next dialer, network, address string) (net.Conn, error) {
	var mu sync.Mutex // addresses are dialled in parallel
	var lookup, connect error
	watched := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			mu.Lock()
			defer mu.Unlock()
			lookup = info.Err
		},
		ConnectDone: func(_, _ string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if connect == nil || timedOut(err) {
				connect = err
			}
		},
	})
	conn, err := next(watched, network, address)
	if err == nil {
		return conn, nil
	}
	mu.Lock()
	defer mu.Unlock()
	if lookup != nil {
		return nil, &dialError{gateway.PhaseDNS, timedOut(lookup), err}
	}
	return nil, &dialError{gateway.PhaseConnect, timedOut(connect), err}
}

func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// conn counts what is written, so that it is known whether anything of a
// request can have reached the upstream, and remembers whose address it is
// connected to.
type conn struct {
	net.Conn
	set  *conns
	host string // as dialled; empty where no name was resolved
	ip   netip.Addr

	written atomic.Int64
	suspect atomic.Bool // idle until now: look before the next write
	stale   atomic.Bool // looked, and it was closed; TLS would still say goodbye
	missed  int         // lookups in a row that did not return ip; see follow
}

var errStale = errors.New("the connection was closed while it was idle")

// Write looks whether a connection that lay idle was closed meanwhile. The
// transport's reader learns that too, but perhaps only after the request was
// written, when nobody can tell any more whether it was read.
func (c *conn) Write(b []byte) (int, error) {
	if c.suspect.Load() && c.suspect.Swap(false) && http1.Pending(c.Conn) {
		c.stale.Store(true)
	}
	if c.stale.Load() {
		return 0, errStale
	}
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// Socket is what http1 reads and writes: it looks by itself, and knows what it
// has written.
func (c *conn) Socket() net.Conn { return c.Conn }

func (c *conn) Close() error {
	c.set.remove(c)
	return c.Conn.Close()
}

// connOf finds the conn under a request's connection; nil when it is not one
// of ours.
func connOf(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	ours, _ := c.(*conn)
	return ours
}

// conns are the open connections of a generation.
type conns struct {
	mu  sync.Mutex
	all map[*conn]struct{}
}

// add keeps count of a connection that was dialled at address.
func (s *conns) add(c net.Conn, address string) net.Conn {
	tracked := &conn{Conn: c, set: s}
	host, _, err := net.SplitHostPort(address)
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok && err == nil && net.ParseIP(host) == nil {
		tracked.host, tracked.ip = strings.ToLower(host), tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[*conn]struct{})
	}
	s.all[tracked] = struct{}{}
	return tracked
}

func (s *conns) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

func (s *conns) list() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.all))
	for c := range s.all {
		all = append(all, c)
	}
	return all
}
