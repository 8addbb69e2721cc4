// Package vertex is the provider `vertex`: Gemini and Claude at Google Cloud.
package vertex

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/upstream"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider calls Vertex AI: Google's own models in Gemini's dialect, Claude in
// Anthropic's. It takes models whose names begin with `gemini-` without a
// prefix. Others are named `publishers/<publisher>/models/<model>` or
// `endpoints/<id>`.
//
// Without an API key calls are authorized as a service account, or as the
// machine's own account where Google Cloud knows one.
type Provider struct {
	upstream.Config

	// The project that is billed. Default: `{env.GOOGLE_CLOUD_PROJECT}`, or the
	// service account's own.
	Project string `json:"project,omitempty"`

	// The location of the models, such as `europe-west4` or `global`.
	// Default: `{env.GOOGLE_CLOUD_LOCATION}`, or `global`.
	Location string `json:"location,omitempty"`

	// The JSON of a service account's key or of another Google credential, as
	// a placeholder such as `{file./run/secrets/vertex.json}`. Default: the
	// file that `GOOGLE_APPLICATION_CREDENTIALS` names, or what Google's
	// application default credentials find.
	Credentials string `json:"credentials,omitempty"`

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.vertex",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) error {
	project, err := resolve("project", p.Project, "GOOGLE_CLOUD_PROJECT")
	if err != nil {
		return err
	}
	location, err := resolve("location", p.Location, "GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION")
	if err != nil {
		return err
	}
	if location == "" {
		location = "global"
	}
	if !plain(location) {
		return fmt.Errorf("location '%s' is no name of a location", location)
	}
	if p.HasKey() {
		if p.Credentials != "" {
			return errors.New("api_key and credentials exclude each other")
		}
		v := vendor(project, location)
		v.Authorize = authorizeKey
		p.Client, err = p.Config.Provision(ctx, v)
		return err
	}
	creds, err := loadCredentials(p.Credentials)
	if err != nil {
		return err
	}
	if project == "" {
		project = creds.project
	}
	if project == "" {
		return errors.New("project is required: give the option, or set GOOGLE_CLOUD_PROJECT")
	}
	v := vendor(project, location)
	tokens := upstream.NewTokens(func(ctx context.Context) (secret.Secret, time.Time, error) {
		return creds.fetch(ctx, p.Client.HTTPClient())
	}, time.Now)
	v.Sign, v.Secrets = tokens.Sign, tokens.Secrets
	v.Receive = dropRefused(tokens)
	p.Client, err = p.Config.Provision(ctx, v)
	return err
}

// resolve returns an option's value, or the first of the variables that is set.
func resolve(option, value string, variables ...string) (string, error) {
	value, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err != nil {
		return "", fmt.Errorf("resolving %s: %w", option, err)
	}
	for _, name := range variables {
		if value == "" {
			value = os.Getenv(name)
		}
	}
	return value, nil
}

// plain reports whether s is made of what names of locations are made of: it
// becomes part of a host's name.
func plain(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Preset implements upstream.Preset.
func (*Provider) Preset() upstream.Vendor { return vendor("", "") }

// UnmarshalCaddyfile reads the provider's block. Syntax:
//
//	provider <name> vertex {
//		project <id>
//		location <name>
//		credentials <placeholder>
//		base_url <url>
//		api_key <placeholders...>
//		...
//	}
//
// The rest is as in upstream.Config.
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	v := p.Preset()
	return p.Config.Unmarshal(d, &v,
		upstream.Option{Name: "project", Into: &p.Project},
		upstream.Option{Name: "location", Into: &p.Location},
		upstream.Option{Name: "credentials", Into: &p.Credentials, Secret: true},
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
