package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
)

// Config is what every HTTP provider can be told.
type Config struct {
	// The URL that the API's paths are appended to, version included.
	// Placeholders are resolved when the configuration is loaded.
	// Default: the vendor's own address.
	BaseURL string `json:"base_url,omitempty"`

	// The API key, as a placeholder such as `{env.OPENAI_API_KEY}` or
	// `{file./run/secrets/openai}`; a literal key is refused.
	// Default: the vendor's usual environment variable.
	APIKey string `json:"api_key,omitempty"`

	// Headers to set on every call, such as `OpenAI-Project`. Values may be
	// placeholders, which are resolved when the configuration is loaded.
	Headers map[string]string `json:"headers,omitempty"`

	// The transport to the upstream. Default: `http`, Caddy's own, with
	// pings on HTTP/2, bounded handshakes and headers, and no proxy from the
	// environment.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`
}

// Provision resolves the configuration and returns a client for vendor.
func (c *Config) Provision(ctx caddy.Context, vendor Vendor) (*Client, error) {
	repl := caddy.NewReplacer()
	base := c.BaseURL
	if base == "" {
		base = vendor.BaseURL
	}
	if base == "" {
		return nil, fmt.Errorf("base_url is required")
	}
	base, err := repl.ReplaceOrErr(base, true, true)
	if err != nil {
		return nil, fmt.Errorf("resolving base_url: %w", err)
	}
	u, err := parseBase(base, vendor.Suffix)
	if err != nil {
		return nil, err
	}
	client := &Client{vendor: vendor, base: u}

	reference := c.APIKey
	if reference == "" {
		reference = vendor.KeyPlaceholder
	}
	if reference != "" {
		if client.key, err = secret.Resolve(reference); err != nil {
			return nil, fmt.Errorf("api_key: %w", err)
		}
	}
	if len(c.Headers) > 0 {
		client.headers = make(map[string]string, len(c.Headers))
		for name, value := range c.Headers {
			if value, err = repl.ReplaceOrErr(value, true, true); err != nil {
				return nil, fmt.Errorf("resolving header %s: %w", name, err)
			}
			client.headers[http.CanonicalHeaderKey(name)] = value
		}
	}
	if client.transport, err = loadTransport(ctx, c); err != nil {
		return nil, err
	}
	return client, nil
}

// UnmarshalCaddyfile reads a provider's block. Syntax:
//
//	provider <name> [<module>] {
//		base_url <url>
//		api_key <placeholder>
//		header <name> <value>
//		transport <module> {
//			...
//		}
//	}
//
// Scalars may be given once.
func (c *Config) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.unmarshalOption(d); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "base_url":
		if c.BaseURL != "" {
			return d.Err("base_url is given twice")
		}
		if !d.AllArgs(&c.BaseURL) {
			return d.ArgErr()
		}
	case "api_key":
		if c.APIKey != "" {
			return d.Err("api_key is given twice")
		}
		if !d.AllArgs(&c.APIKey) {
			return d.ArgErr()
		}
		if err := secret.CheckReference(c.APIKey); err != nil {
			return d.Errf("api_key %v", err)
		}
	case "header":
		var name, value string
		if !d.AllArgs(&name, &value) {
			return d.ArgErr()
		}
		if c.Headers == nil {
			c.Headers = make(map[string]string)
		}
		if _, ok := c.Headers[name]; ok {
			return d.Errf("header %s is given twice", name)
		}
		c.Headers[name] = value
	case "transport":
		if c.TransportRaw != nil {
			return d.Err("transport is given twice")
		}
		if !d.NextArg() {
			return d.ArgErr()
		}
		protocol := d.Val()
		const namespace = "http.reverse_proxy.transport"
		if _, err := caddy.GetModule(namespace + "." + protocol); err != nil {
			var known []string
			for _, info := range caddy.GetModules(namespace) {
				known = append(known, info.ID.Name())
			}
			return d.Errf("unknown transport '%s'%s", protocol, typo.Suggest(protocol, known...))
		}
		mod, err := caddyfile.UnmarshalModule(d, namespace+"."+protocol)
		if err != nil {
			return err
		}
		if _, ok := mod.(http.RoundTripper); !ok {
			return d.Errf("transport module %s (%T) is not an http.RoundTripper", protocol, mod)
		}
		c.TransportRaw = caddyconfig.JSONModuleObject(mod, "protocol", protocol, nil)
	default:
		return d.Errf("unrecognized provider option '%s'%s", d.Val(), typo.Suggest(d.Val(), "base_url", "api_key", "header", "transport"))
	}
	return nil
}
