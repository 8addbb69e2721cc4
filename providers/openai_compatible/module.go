// Package openaicompatible is the provider `openai_compatible` for any server
// that speaks OpenAI's API, and the presets for well-known ones.
package openaicompatible

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

func init() {
	for name := range presets {
		caddy.RegisterModule(&Provider{name: name})
	}
}

// Provider calls a server that is compatible with OpenAI: `openai_compatible`,
// which needs a `base_url`, or one of the presets `groq`, `deepseek`,
// `mistral`, `xai`, `openrouter`, `together`, `fireworks`, `ollama`, `vllm` and
// `llamacpp`, which know their address, their key's usual variable and their
// particularities.
type Provider struct {
	upstream.Config

	*upstream.Client `json:"-"`

	name string
}

// CaddyModule returns the Caddy module information.
func (p *Provider) CaddyModule() caddy.ModuleInfo {
	name := p.name
	if name == "" {
		name = generic
	}
	return caddy.ModuleInfo{
		ID:  caddy.ModuleID("ai.providers." + name),
		New: func() caddy.Module { return &Provider{name: name} },
	}
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) (err error) {
	vendor := p.Preset()
	if p.name == "deepseek" && strings.HasSuffix(strings.TrimRight(p.BaseURL, "/"), "/beta") {
		vendor.Traits.Prefill = wire.PrefillMark // of the beta alone
	}
	p.Client, err = p.Config.Provision(ctx, vendor)
	return err
}

// Preset implements upstream.Preset.
func (p *Provider) Preset() upstream.Vendor { return presets[p.name] }

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
