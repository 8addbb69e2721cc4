package handlers

import (
	"net"
	"net/netip"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// admit decides whether the caller may use the gateway at all. Nothing of
// the body has been read: strangers get neither memory nor a 100 Continue.
//
// Without keys, only loopback and private clients are served. An open relay
// to paid APIs must be asked for by name.
func (c *call) admit() error {
	start := c.proxy.gateway.Now()
	defer c.timed(start, &c.x.Timings.Auth)
	if stranger := c.stranger(); stranger != nil {
		return stranger
	}
	return nil
}

// stranger is the refusal of a caller who may not use the gateway, nil for
// one who may.
func (c *call) stranger() *gateway.Error {
	if private(clientIP(c)) {
		return nil
	}
	return &gateway.Error{Kind: wire.KindAuthentication, Message: "no API key is configured here, so only loopback and private addresses are served"}
}

// clientIP is the address that Caddy has determined, which honours the
// site's trusted_proxies; else the peer's own.
func clientIP(c *call) string {
	if ip, ok := caddyhttp.GetVar(c.r.Context(), caddyhttp.ClientIPVarKey).(string); ok && ip != "" {
		return ip
	}
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		return c.r.RemoteAddr
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
