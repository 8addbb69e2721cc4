package upstream

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Connections in use never expire, so a name that moves is noticed by looking
// it up. An address is gone when goneAfter lookups in a row did not return it:
// some names show another few of many addresses each time.
const (
	lookupEvery   = 30 * time.Second
	lookupTimeout = 3 * time.Second
	goneAfter     = 4
)

func everyLookup() (<-chan time.Time, func()) {
	ticker := time.NewTicker(lookupEvery)
	return ticker.C, ticker.Stop
}

// resolver returns the lookup of the resolvers that the transport uses.
func resolver(s *settings) (func(ctx context.Context, host string) ([]string, error), error) {
	if s.Resolver == nil || len(s.Resolver.Addresses) == 0 {
		return net.DefaultResolver.LookupHost, nil
	}
	// The first, of which Caddy takes any: all should know the same.
	address, err := caddy.ParseNetworkAddressWithDefaults(s.Resolver.Addresses[0], "udp", 53)
	if err != nil {
		return nil, err
	}
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, address.Network, address.JoinHostPort(0))
	}}
	return r.LookupHost, nil
}

// watch begins to follow names as soon as one is connected to.
func (t *transport) watch() { t.adopt(t.current.Load()) }

// adopt makes a generation's first connection to a name begin the watch.
func (t *transport) adopt(g *generation) {
	if g.std == nil {
		return
	}
	next := g.std.DialContext
	g.std.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := next(ctx, network, address)
		if ours, ok := c.(*conn); ok && err == nil && ours.host != "" {
			t.follow()
		}
		return c, err
	}
}

// follow starts the one goroutine that looks names up.
func (t *transport) follow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.following || t.closed {
		return
	}
	t.following = true
	ticks, done := t.tick()
	go func() {
		defer done()
		for {
			select {
			case <-t.stop:
				return
			case <-ticks:
				t.check()
			}
		}
	}()
}

// check looks up every name that the current generation is connected to.
func (t *transport) check() {
	g := t.current.Load()
	byHost := make(map[string][]*conn)
	for _, c := range g.conns.list() {
		if c.host != "" {
			byHost[c.host] = append(byHost[c.host], c)
		}
	}
	gone := false
	for host, connected := range byHost {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		found, err := t.lookup(ctx, host)
		cancel()
		if err != nil {
			continue // a resolver that is down says nothing of where a name went
		}
		for _, c := range connected {
			if slices.ContainsFunc(found, c.at) {
				c.missed = 0
			} else {
				c.missed++
			}
			gone = gone || c.missed >= goneAfter
		}
	}
	if gone {
		t.renew(g)
	}
}

// at reports whether the connection is to address.
func (c *conn) at(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().WithZone("") == c.ip
}
