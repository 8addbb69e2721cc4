// Package azureopenai is the provider `azure_openai`: OpenAI's models, and
// others', at a resource of Microsoft Azure.
package azureopenai

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/upstream"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider calls a resource of Azure OpenAI. Its base URL is the resource's,
// such as `https://example.openai.azure.com`, and may end in `/openai` or
// `/openai/v1`; by default it is the variable `AZURE_OPENAI_ENDPOINT`. Models
// are named by their deployments.
type Provider struct {
	upstream.Config

	// The version of the API, such as `2024-10-21`, for resources that lack
	// the `v1` API. It selects the older form of URLs, with the deployment in
	// the path. Default: none, for `v1`.
	APIVersion string `json:"api_version,omitempty"`

	// A Microsoft Entra ID access token, as a placeholder; it takes the place
	// of the API key. It is read again every minute, so a file may be kept
	// fresh by something else. Default: none.
	Token string `json:"token,omitempty"`

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.azure_openai",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) (err error) {
	version, err := caddy.NewReplacer().ReplaceOrErr(p.APIVersion, true, true)
	if err != nil {
		return fmt.Errorf("resolving api_version: %w", err)
	}
	v := vendor(version)
	v.BaseURL = os.Getenv("AZURE_OPENAI_ENDPOINT")
	if p.Token != "" {
		if p.HasKey() {
			return errors.New("api_key and token exclude each other")
		}
		// The token is resolved here too, so that a missing one fails.
		v.KeyPlaceholder, v.KeyOption = p.Token, "token"
		tokens := upstream.NewTokens(reread(p.Token, time.Now), time.Now)
		v.Authorize, v.Sign, v.Secrets = nil, tokens.Sign, tokens.Secrets
	}
	p.Client, err = p.Config.Provision(ctx, v)
	return err
}

// Preset implements upstream.Preset.
func (p *Provider) Preset() upstream.Vendor {
	v := vendor("")
	if p.Token != "" {
		v.KeyPlaceholder = p.Token
	}
	return v
}

// UnmarshalCaddyfile reads the provider's block. Syntax:
//
//	provider <name> azure_openai {
//		base_url <url>
//		api_key <placeholders...>
//		api_version <version>
//		token <placeholder>
//		...
//	}
//
// The rest is as in upstream.Config.
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	v := p.Preset()
	return p.Config.Unmarshal(d, &v,
		upstream.Option{Name: "api_version", Into: &p.APIVersion},
		upstream.Option{Name: "token", Into: &p.Token, Secret: true},
	)
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
