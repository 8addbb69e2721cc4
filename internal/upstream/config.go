package upstream

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
)

// Config is what every HTTP provider can be told.
type Config struct {
	// The URL that the API's paths are appended to, version included; or a Unix
	// socket, with the path after a colon, such as `unix//run/llama.sock:/v1`.
	// Placeholders are resolved when the configuration is loaded.
	// Default: the vendor's own address.
	BaseURL string `json:"base_url,omitempty"`

	// The API key, as a placeholder such as `{env.OPENAI_API_KEY}` or
	// `{file./run/secrets/openai}`; a literal key is refused.
	// Default: the vendor's usual environment variable.
	APIKey string `json:"api_key,omitempty"`

	// Several API keys, as placeholders: each is an account with limits and
	// health of its own, and calls are spread over them. Default: none.
	APIKeys []string `json:"api_keys,omitempty"`

	// How an account is chosen among several. Default: the one with the fewest
	// calls in flight.
	KeyPolicyRaw json.RawMessage `json:"key_policy,omitempty" caddy:"namespace=ai.policies inline_key=policy"`

	// Headers to set on every call, such as `OpenAI-Project`. Values may be
	// placeholders, which are resolved when the configuration is loaded; those
	// of credentials must. Default: none.
	Headers map[string]string `json:"headers,omitempty"`

	// The operations that the upstream has, where those are fewer than its
	// kind may have: `chat`, `completions`, `responses`, `messages`,
	// `embeddings` and so on. What it does not have is translated into what it
	// has. Default: all of its kind.
	Serves []string `json:"serves,omitempty"`

	// How many connections to open when the configuration starts, so that the
	// first calls find them; one is enough for HTTP/2. Default: `0`.
	WarmConnections int `json:"warm,omitempty"`

	// The most inputs that the upstream takes in one call for embeddings; a
	// request with more is made in parts. Default: the vendor's own bound,
	// none where that is not known.
	MaxInputs int `json:"max_inputs,omitempty"`

	Common

	// The transport to the upstream. Default: `http`, Caddy's own, with
	// pings on HTTP/2, bounded handshakes and headers, more idle connections
	// for a shorter time, and no proxy from the environment. Connections
	// survive reloads that do not change it.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`
}

// Provision resolves the configuration and returns a client for vendor.
func (c *Config) Provision(ctx caddy.Context, vendor Vendor) (*Client, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
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
	u, socket, err := parseBase(base, &vendor)
	if err != nil {
		return nil, err
	}
	if vendor, err = vendor.Only(c.Serves); err != nil {
		return nil, err
	}
	if c.MaxInputs < 0 {
		return nil, fmt.Errorf("max_inputs must not be negative, got %d", c.MaxInputs)
	}
	if c.MaxInputs > 0 {
		vendor.Traits.MaxInputs = c.MaxInputs
	}
	client := &Client{vendor: vendor, base: u, probe: probe{skip: socket != ""}}
	if client.accounts, err = c.accounts(&vendor); err != nil {
		return nil, err
	}
	if err := client.setHeaders(c.Headers, repl); err != nil {
		return nil, err
	}
	if c.KeyPolicyRaw != nil {
		if client.policy, err = ctx.LoadModule(c, "KeyPolicyRaw"); err != nil {
			return nil, fmt.Errorf("loading key_policy: %w", err)
		}
		if err := fit(client.policy, len(client.accounts)); err != nil {
			return nil, err
		}
	}
	if c.WarmConnections < 0 || c.WarmConnections > maxWarm {
		return nil, fmt.Errorf("warm must be between 0 and %d, got %d", maxWarm, c.WarmConnections)
	}
	client.warmth = warmth{connections: c.WarmConnections, logger: ctx.Logger()}
	// Last, since what fails after it would have to let it go.
	if client.transport, client.release, err = acquireTransport(ctx, c, socket); err != nil {
		return nil, err
	}
	return client, nil
}

// fit refuses a policy with more or fewer weights than there are accounts.
func fit(policy any, accounts int) error {
	if fitting, ok := policy.(interface{ Fit(accounts int) error }); ok {
		if err := fitting.Fit(accounts); err != nil {
			return fmt.Errorf("key_policy: %w", err)
		}
	}
	return nil
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
