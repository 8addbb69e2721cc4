package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// What Caddy's transport lacks for this use; see correct.
const (
	tlsTimeout     = 5 * time.Second
	maxHeaderBytes = 64 << 10
	pingAfter      = 15 * time.Second
	pingTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second

	// maxIdlePerHost is more than Caddy's 32: the streams of an HTTP/1.1
	// upstream each have a connection, and those over the bound would be closed
	// and dialled again between calls.
	maxIdlePerHost = 256

	// idleTimeout is less than the minute after which usual load balancers
	// close connections, so that they seldom close one that is just used.
	idleTimeout = 55 * time.Second

	defaultProtocol = `{"protocol":"http"}`
	namespace       = "http.reverse_proxy.transport"
)

// settings is what a configuration says of its transport.
type settings struct {
	Protocol        string          `json:"protocol"`
	NetworkProxy    json.RawMessage `json:"network_proxy"`
	ForwardProxyURL string          `json:"forward_proxy_url"`
	ProxyProtocol   string          `json:"proxy_protocol"`
	TLS             *struct {
		CA             json.RawMessage `json:"ca"`
		RootPEMFiles   []string        `json:"root_ca_pem_files"`
		Certificate    string          `json:"client_certificate_file"`
		CertificateKey string          `json:"client_certificate_key_file"`
		Automate       string          `json:"client_certificate_automate"`
	} `json:"tls"`
	KeepAlive struct {
		MaxIdlePerHost int `json:"max_idle_conns_per_host"`
		IdleTimeout    any `json:"idle_timeout"`
	} `json:"keep_alive"`
	Resolver *reverseproxy.UpstreamResolver `json:"resolver"`
}

func (s *settings) proxied() bool { return len(s.NetworkProxy) > 0 || s.ForwardProxyURL != "" }

func readSettings(raw json.RawMessage) (*settings, error) {
	s := new(settings)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("reading transport: %w", err)
	}
	if s.ProxyProtocol != "" {
		return nil, errors.New("transport: proxy_protocol needs a client's connection, which a call to a provider has none of")
	}
	return s, nil
}

// loadTransport loads the transport module under ctx, with what correct does.
func loadTransport(ctx caddy.Context, raw json.RawMessage, s *settings) (http.RoundTripper, error) {
	rest, err := withoutProtocol(raw)
	if err != nil {
		return nil, err
	}
	mod, err := ctx.LoadModuleByID(namespace+"."+s.Protocol, rest)
	if err != nil {
		return nil, fmt.Errorf("loading transport: %w", err)
	}
	rt, ok := mod.(http.RoundTripper)
	if !ok {
		return nil, fmt.Errorf("transport module %T is not an http.RoundTripper", mod)
	}
	if t, ok := rt.(*reverseproxy.HTTPTransport); ok && t.Transport != nil {
		correct(t.Transport, s)
	}
	return rt, nil
}

// correct changes what a proxy of long, silent streams needs otherwise than
// Caddy's transport has it:
//
//   - HTTP/2 connections are pinged, or a dead one hangs every stream on it;
//   - the TLS handshake, the size of response headers and writes that do not
//     move are bounded;
//   - more connections are kept, for less time;
//   - HTTP_PROXY from the environment is ignored: egress is configured, not
//     inherited;
//   - answers are not unpacked behind our back.
func correct(std *http.Transport, s *settings) {
	if std.TLSHandshakeTimeout == 0 {
		std.TLSHandshakeTimeout = tlsTimeout
	}
	if std.MaxResponseHeaderBytes == 0 {
		std.MaxResponseHeaderBytes = maxHeaderBytes
	}
	if std.HTTP2 == nil {
		std.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout}
	}
	if s.KeepAlive.MaxIdlePerHost == 0 {
		std.MaxIdleConnsPerHost = maxIdlePerHost
	}
	if s.KeepAlive.IdleTimeout == nil {
		std.IdleConnTimeout = idleTimeout
	}
	if !s.proxied() {
		std.Proxy = nil
	}
	std.DisableCompression = true
}

// withoutProtocol removes the key that names the module, as Caddy does.
func withoutProtocol(raw json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("reading transport: %w", err)
	}
	delete(members, "protocol")
	return json.Marshal(members)
}
