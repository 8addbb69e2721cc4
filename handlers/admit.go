package handlers

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// admit decides whether the caller may use the gateway at all. Nothing of
// the body has been read: strangers get neither memory nor a 100 Continue.
//
// ai_auth has found the caller, if it stands before this handler; a site
// without it asks for the same: a key where keys are configured, else a
// private address. An open relay to paid APIs must be asked for by name.
func (c *call) admit() error {
	defer c.timed(c.x.Start, &c.x.Timings.Auth)
	if stranger := c.stranger(); stranger != nil {
		return stranger
	}
	c.x.Update(func() {
		c.x.Principal = c.caller.principal
	})
	if c.caller.key != nil {
		c.flight.Own(c.proxy.host.Generation(), &c.caller.grant)
	}
	return c.squeeze()
}

// squeeze refuses the call where the gateway has too much to do for its class. What
// goes on is not touched.
func (c *call) squeeze() error {
	guard, class := c.proxy.overload, c.class()
	reason, ok := guard.Enter(class)
	if c.admitted = ok; ok {
		return nil
	}
	c.proxy.metrics.Shed(class.String(), string(reason))
	return &gateway.Error{
		Kind: wire.KindOverloaded, Phase: gateway.PhaseOverload,
		// Those who were refused together must not come back together.
		RetryAfter: time.Second + time.Duration(rand.Int64N(int64(time.Second))),
		Message:    "the gateway is overloaded (" + string(reason) + ") and takes no request of the priority '" + class.String() + "' at the moment",
	}
}

// stranger is the refusal of a caller who may not use the gateway, nil for
// one who may.
func (c *call) stranger() *gateway.Error {
	if known, ok := caddyhttp.GetVar(c.r.Context(), callerVar).(*caller); ok {
		c.caller = known
		return nil
	}
	var refusal *gateway.Error
	c.caller, refusal = c.proxy.auth.identify(c.r, c.proxy.gateway.Now())
	return refusal
}

// clientIP is the address that Caddy has determined, which honours the
// site's trusted_proxies; else the peer's own.
func clientIP(r *http.Request) string {
	if ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok && ip != "" {
		return ip
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// private reports whether an address is loopback, RFC 1918, ULA or
// link-local. netip's predicates hold for IPv4 in IPv6 only after Unmap.
// A peer on a unix socket has no address and is local by nature.
func private(host string) bool {
	if host == "" || host == "@" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
}
