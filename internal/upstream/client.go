package upstream

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

// Client calls one upstream, with one account or several. It is safe for
// concurrent use, also after the end of its configuration.
type Client struct {
	vendor    Vendor
	base      *url.URL
	accounts  []account // one at least
	policy    any
	headers   map[string]string
	hidden    []secret.Secret // of headers
	transport *transport
	warmth    warmth
	release   func() error

	probe probe
}

// NewClient returns a client that sends through transport; for providers
// whose upstream is not on the network.
func NewClient(vendor Vendor, base string, transport http.RoundTripper) (*Client, error) {
	u, _, err := parseBase(base, &vendor)
	if err != nil {
		return nil, err
	}
	return &Client{
		vendor: vendor, base: u, accounts: []account{{name: soleAccount}},
		transport: fixed(transport), probe: probe{skip: true},
	}, nil
}

// Cleanup implements caddy.CleanerUpper for the guests. Calls in flight, and
// those still to come from exchanges in flight, need nothing of what it lets go.
func (c *Client) Cleanup() error {
	if c == nil {
		return nil // provisioning failed before there was one
	}
	c.warmth.stop()
	if c.release == nil {
		return nil
	}
	release := c.release
	c.release = nil
	return release()
}

// SpeaksFor implements gateway.Selective.
func (c *Client) SpeaksFor(op *wire.Operation, model string) bool {
	return c.vendor.speaksFor(op, model)
}

// Speaks implements gateway.Provider.
func (c *Client) Speaks(op *wire.Operation) bool { return c.vendor.speaks(op) }

// Traits implements gateway.Provider.
func (c *Client) Traits() gateway.Traits { return c.vendor.Traits }

// Owns implements gateway.Owner.
func (c *Client) Owns(model string) bool { return c.vendor.owns(model) }

// Do implements gateway.Provider.
func (c *Client) Do(ctx context.Context, call *gateway.Call) (*http.Response, error) {
	account, err := c.account(call)
	if err != nil {
		closeCall(call)
		return nil, err
	}
	target, err := c.target(call)
	if err != nil {
		closeCall(call)
		return nil, err
	}
	if c.vendor.Edit != nil {
		if call, err = c.edit(call); err != nil {
			return nil, err
		}
	}
	req := blank.WithContext(ctx)
	req.Method, req.URL, req.Host = call.Method, target, target.Host
	if call.Body != nil {
		req.Body, req.GetBody, req.ContentLength = closable(call.Body), call.GetBody, call.Length
	}
	req.Header = c.header(call, account)
	if c.vendor.Sign != nil {
		if err := c.vendor.Sign(req); err != nil {
			closeBody(req)
			return nil, c.unsigned(ctx, err)
		}
	}
	res, err := c.transport.send(req)
	if err != nil {
		return nil, err
	}
	if c.vendor.Receive != nil {
		c.vendor.Receive(call, res)
	}
	return res, nil
}

// blank is what http.NewRequest begins with, which would read a URL again that
// has been read.
var blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

// closable returns a call's body as that of a request.
func closable(r io.Reader) io.ReadCloser {
	switch r := r.(type) {
	case io.ReadCloser:
		return r
	case *bytes.Buffer:
		return memory{r}
	default:
		return io.NopCloser(r)
	}
}

// memory is a body that http1 need not read, since it is an http1.Memory.
type memory struct{ *bytes.Buffer }

// Parts implements http1.Memory.
func (m memory) Parts(dst [][]byte) [][]byte { return append(dst, m.Bytes()) }

func (memory) Close() error { return nil }

// Forwarded implements gateway.Forwarder.
func (c *Client) Forwarded(from http.Header) http.Header {
	h := make(http.Header)
	c.forwardTo(h, from)
	return h
}

func (c *Client) forwardTo(h, from http.Header) {
	for name, values := range from {
		if c.forwards(name) {
			h[name] = values
		}
	}
}

func (c *Client) forwards(name string) bool {
	for _, prefix := range c.vendor.Forward {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Matters implements gateway.Forwarder.
func (c *Client) Matters(name string, values []string) bool {
	if !c.forwards(name) {
		return false
	}
	if _, set := c.headers[name]; set {
		return false // the configuration's goes out instead
	}
	usual, ok := c.vendor.Defaults[name]
	return !ok || len(values) != 1 || values[0] != usual
}

const userAgent = "Weir (+https://github.com/weirproxy/weir)"

// Probe implements gateway.Prober: it resolves the upstream's name, and
// remembers the result for a while.
func (c *Client) Probe(ctx context.Context) error { return c.probe.do(ctx, c.base.Hostname()) }

// probe caches a name's resolution, so that a readiness check that is asked
// often costs nothing.
type probe struct {
	skip   bool
	lookup func(ctx context.Context, host string) ([]string, error) // nil: the system's

	mu  sync.Mutex
	at  time.Time
	err error
}

const (
	probeTTL     = 10 * time.Second
	probeTimeout = 2 * time.Second
)

func (p *probe) do(ctx context.Context, host string) error {
	if p.skip || net.ParseIP(host) != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < probeTTL {
		return p.err
	}
	// The result is kept for others, so whoever asked may leave.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	lookup := p.lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	_, p.err = lookup(ctx, host)
	p.at = time.Now()
	return p.err
}

// Interface guards.
var (
	_ gateway.Provider  = (*Client)(nil)
	_ gateway.Selective = (*Client)(nil)
	_ gateway.Owner     = (*Client)(nil)
	_ gateway.Prober    = (*Client)(nil)
)
