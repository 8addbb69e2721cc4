// Package cohere is the provider `cohere`: version 2 of Cohere's own API.
package cohere

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider calls Cohere. It takes models whose names begin with `command`,
// `embed-` or `rerank-` without a prefix. Its base URL may be written with or
// without `/v2`.
type Provider struct {
	upstream.Config

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.cohere",
		New: func() caddy.Module { return new(Provider) },
	}
}

var vendor = upstream.Vendor{
	BaseURL: "https://api.cohere.com",
	// The operations' paths have the version, which differs by API.
	Trim:           []string{"/v1", "/v2"},
	KeyPlaceholder: "{env.COHERE_API_KEY}",
	Operations:     []*wire.Operation{wire.CohereChat, wire.CohereEmbed, wire.CohereRerank},
	Prefixes:       []string{"command", "embed-", "rerank-", "c4ai-aya-"},
	Authorize:      upstream.Bearer,
	Traits:         gateway.Traits{MaxInputs: 96},
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) (err error) {
	p.Client, err = p.Config.Provision(ctx, p.Preset())
	return err
}

// Preset implements upstream.Preset.
func (*Provider) Preset() upstream.Vendor {
	v := vendor
	// Cohere's SDKs read the second.
	v.KeyPlaceholder = upstream.FirstSet("COHERE_API_KEY", "CO_API_KEY")
	return v
}

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
