package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/internal/secret"
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

	// The operations that the upstream has, where those are fewer than its
	// kind may have: `chat`, `completions`, `responses`, `messages`,
	// `embeddings` and so on. What it does not have is translated into what it
	// has. Default: all of its kind.
	Serves []string `json:"serves,omitempty"`

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
	u, err := parseBase(base, &vendor)
	if err != nil {
		return nil, err
	}
	if vendor, err = vendor.Only(c.Serves); err != nil {
		return nil, err
	}
	client := &Client{vendor: vendor, base: u}

	reference, option := c.APIKey, "api_key"
	if reference == "" {
		reference = vendor.KeyPlaceholder
		if vendor.KeyOption != "" {
			option = vendor.KeyOption
		}
	}
	if reference != "" {
		if client.key, err = secret.Resolve(reference); err != nil {
			return nil, fmt.Errorf("%s: %w", option, err)
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

// FirstSet returns the placeholder of the first variable that is set, or of
// the first of all, so that an error names the usual one.
func FirstSet(names ...string) string {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return "{env." + name + "}"
		}
	}
	return "{env." + names[0] + "}"
}
