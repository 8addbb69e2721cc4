package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// What Caddy's transport lacks for this use; see loadTransport.
const (
	tlsTimeout      = 5 * time.Second
	maxHeaderBytes  = 64 << 10
	pingAfter       = 15 * time.Second
	pingTimeout     = 10 * time.Second
	defaultProtocol = `{"protocol":"http"}`
)

// loadTransport loads the transport module, Caddy's `http` by default, and
// corrects what a proxy of long, silent streams needs otherwise:
//
//   - HTTP/2 connections are pinged, or a dead one hangs every stream on it;
//   - the TLS handshake and the size of response headers are bounded;
//   - HTTP_PROXY from the environment is ignored: egress is configured, not
//     inherited;
//   - answers are not unpacked behind our back.
//
// Its Cleanup closes idle connections only, so it is safe under streams.
func loadTransport(ctx caddy.Context, c *Config) (http.RoundTripper, error) {
	if c.TransportRaw == nil {
		c.TransportRaw = json.RawMessage(defaultProtocol)
	}
	var egress struct {
		NetworkProxy    json.RawMessage `json:"network_proxy"`
		ForwardProxyURL string          `json:"forward_proxy_url"`
	}
	if err := json.Unmarshal(c.TransportRaw, &egress); err != nil {
		return nil, fmt.Errorf("reading transport: %w", err)
	}
	mod, err := ctx.LoadModule(c, "TransportRaw")
	if err != nil {
		return nil, fmt.Errorf("loading transport: %w", err)
	}
	rt, ok := mod.(http.RoundTripper)
	if !ok {
		return nil, fmt.Errorf("transport module %T is not an http.RoundTripper", mod)
	}
	if t, ok := rt.(*reverseproxy.HTTPTransport); ok && t.Transport != nil {
		std := t.Transport
		if std.TLSHandshakeTimeout == 0 {
			std.TLSHandshakeTimeout = tlsTimeout
		}
		if std.MaxResponseHeaderBytes == 0 {
			std.MaxResponseHeaderBytes = maxHeaderBytes
		}
		if std.HTTP2 == nil {
			std.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
		}
		if len(egress.NetworkProxy) == 0 && egress.ForwardProxyURL == "" {
			std.Proxy = nil
		}
		std.DisableCompression = true
	}
	return rt, nil
}
