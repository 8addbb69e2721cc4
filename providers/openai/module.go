// Package openai is the provider `openai`: OpenAI's own API.
package openai

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/upstream"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider calls OpenAI. It takes the models whose names are OpenAI's own
// (`gpt-…`, `o3`, `text-embedding-…`) without a prefix.
type Provider struct {
	upstream.Config

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.openai",
		New: func() caddy.Module { return new(Provider) },
	}
}

var vendor = upstream.Vendor{
	BaseURL:        "https://api.openai.com/v1",
	KeyPlaceholder: "{env.OPENAI_API_KEY}",
	Operations:     upstream.OpenAIOperations,
	Prefixes: []string{
		"gpt-", "chatgpt-", "o1", "o3", "o4", "codex-", "computer-use-", "text-embedding-", "text-moderation-",
		"omni-moderation-", "dall-e-", "whisper-", "tts-", "davinci-", "babbage-", "ft:", "sora-",
	},
	Authorize: upstream.Bearer,
	Forward:   []string{"Openai-"},
	Traits:    gateway.Traits{CapParam: "max_completion_tokens", MaxInputs: 2048},
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
