// Package gemini is the provider `gemini`: Google's Gemini API (AI Studio).
package gemini

import (
	"net/http"
	"strings"

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

// Provider calls the Gemini API. It takes models whose names begin with
// `gemini-` or `gemma-` without a prefix. Its base URL may be written with or
// without `/v1beta`.
type Provider struct {
	upstream.Config

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.gemini",
		New: func() caddy.Module { return new(Provider) },
	}
}

var vendor = upstream.Vendor{
	BaseURL:        "https://generativelanguage.googleapis.com/v1beta",
	Suffix:         "/v1beta",
	KeyPlaceholder: "{env.GEMINI_API_KEY}",
	Operations:     []*wire.Operation{wire.GeminiGenerate, wire.GeminiEmbed, wire.GeminiBatchEmbed, wire.ListModels},
	Prefixes:       []string{"gemini-", "gemma-", "text-embedding-004", "models/gemini-", "models/gemma-"},
	Path:           path,
	Traits:         gateway.Traits{MaxInputs: 100},
	// The header, not `?key=`: URLs are what proxies log.
	Authorize: func(h http.Header, key secret.Secret) {
		h["X-Goog-Api-Key"] = []string{key.Reveal()}
	},
}

// path names the model as the API does: `models/…`, or `tunedModels/…` where
// the client says so.
func path(call *gateway.Call) string {
	if call.Operation == wire.ListModels {
		return upstream.EscapePath(call.Path)
	}
	collection, model := "models", call.Model
	if kind, name, ok := strings.Cut(model, "/"); ok && (kind == "models" || kind == "tunedModels") {
		collection, model = kind, name
	}
	verb := call.Operation.Path
	if call.Stream && call.Operation == wire.GeminiGenerate {
		// Without alt=sse a stream is one JSON array.
		verb = wire.GeminiStreamPath + "?alt=sse"
	}
	return "/" + collection + "/" + upstream.Escape(model) + verb
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) (err error) {
	p.Client, err = p.Config.Provision(ctx, p.Preset())
	return err
}

// Preset implements upstream.Preset.
func (*Provider) Preset() upstream.Vendor {
	v := vendor
	// Google's SDKs read both variables.
	v.KeyPlaceholder = upstream.FirstSet("GEMINI_API_KEY", "GOOGLE_API_KEY")
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
