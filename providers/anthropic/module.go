// Package anthropic is the provider `anthropic`: Anthropic's own API.
package anthropic

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider calls Anthropic. It takes models whose names begin with `claude-`
// without a prefix. Its base URL may be written with or without `/v1`.
type Provider struct {
	upstream.Config

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.anthropic",
		New: func() caddy.Module { return new(Provider) },
	}
}

var vendor = upstream.Vendor{
	BaseURL:        "https://api.anthropic.com/v1",
	Suffix:         "/v1",
	KeyPlaceholder: "{env.ANTHROPIC_API_KEY}",
	Operations:     append([]*wire.Operation{wire.ListModels}, upstream.AnthropicOperations...),
	Prefixes:       []string{"claude-"},
	Authorize: func(h http.Header, key secret.Secret) {
		h["X-Api-Key"] = []string{key.Reveal()}
	},
	// anthropic-beta changes the shape of answers, so half of a pair of
	// header and body would break clients: all of them are forwarded.
	Forward: []string{"Anthropic-"},
	Defaults: map[string]string{
		"Anthropic-Version": "2023-06-01",
	},
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) (err error) {
	p.Client, err = p.Config.Provision(ctx, vendor)
	return err
}

// Preset implements upstream.Preset.
func (*Provider) Preset() upstream.Vendor { return vendor }

// UnmarshalCaddyfile reads the provider's block; see upstream.Config.
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	v := p.Preset()
	return p.Config.Unmarshal(d, &v)
}

// Interface guards.
var (
	_ caddy.Provisioner      = (*Provider)(nil)
	_ caddyfile.Unmarshaler  = (*Provider)(nil)
	_ caddy.CleanerUpper     = (*Provider)(nil)
	_ upstream.Preset        = (*Provider)(nil)
	_ gateway.Provider       = (*Provider)(nil)
	_ gateway.Pooled         = (*Provider)(nil)
	_ gateway.AccountChooser = (*Provider)(nil)
	_ gateway.Warmer         = (*Provider)(nil)
)
