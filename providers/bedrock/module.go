// Package bedrock is the provider `bedrock`: the models of Amazon Bedrock.
package bedrock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/upstream"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider calls Amazon Bedrock: chat by the Converse API, embeddings of Titan
// and Cohere by InvokeModel. Models are named by their ids, by those of
// inference profiles (`us.anthropic.…`) or by ARNs.
//
// Calls are signed with the credentials given here, or with those that AWS's
// own chain finds: environment, shared files, SSO, web identity, container and
// instance roles. With an API key they are not signed.
type Provider struct {
	upstream.Config

	// The region. Default: `{env.AWS_REGION}`, `{env.AWS_DEFAULT_REGION}`, or
	// the profile's.
	Region string `json:"region,omitempty"`

	// The profile of the shared configuration files. Default:
	// `{env.AWS_PROFILE}`, or `default`.
	Profile string `json:"profile,omitempty"`

	// The public one of a pair of keys, as a placeholder. Default: AWS's own
	// chain of credentials.
	AccessKeyID string `json:"access_key_id,omitempty"`

	// The secret one of the pair, as a placeholder. Default: AWS's own chain of
	// credentials.
	SecretAccessKey string `json:"secret_access_key,omitempty"`

	// The token that belongs to the pair if it is temporary, as a placeholder.
	// Default: none.
	SessionToken string `json:"session_token,omitempty"`

	*upstream.Client `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.bedrock",
		New: func() caddy.Module { return new(Provider) },
	}
}

// bearerVariable holds Bedrock's API keys in AWS's SDKs.
const bearerVariable = "AWS_BEARER_TOKEN_BEDROCK"

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(ctx caddy.Context) error {
	static := p.AccessKeyID != "" || p.SecretAccessKey != "" || p.SessionToken != ""
	switch {
	case static && (p.AccessKeyID == "" || p.SecretAccessKey == ""):
		return errors.New("access_key_id and secret_access_key need each other")
	case p.HasKey() && (static || p.Profile != ""):
		return errors.New("api_key and other credentials exclude each other")
	case static && p.Profile != "":
		return errors.New("access_key_id and profile exclude each other")
	}
	repl := caddy.NewReplacer()
	region, err := repl.ReplaceOrErr(p.Region, true, true)
	if err != nil {
		return fmt.Errorf("resolving region: %w", err)
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region == "" {
			region = os.Getenv(name)
		}
	}

	v := vendor()
	if p.HasKey() || !static && p.Profile == "" && os.Getenv(bearerVariable) != "" {
		v.KeyPlaceholder, v.KeyOption = "{env."+bearerVariable+"}", bearerVariable
		v.Authorize = upstream.Bearer
		if region == "" && p.BaseURL == "" {
			return errNoRegion
		}
	} else {
		source, found, err := p.credentials(ctx, repl, static)
		if err != nil {
			return err
		}
		if region == "" {
			region = found
		}
		if region == "" {
			return errNoRegion
		}
		s := newSigner(source, region, time.Now)
		v.Sign, v.Secrets = s.sign, s.secrets
	}
	if region != "" {
		if !plain(region) {
			return fmt.Errorf("region '%s' is no name of a region", region)
		}
		v.BaseURL = endpoint(region)
	}
	p.Client, err = p.Config.Provision(ctx, v)
	return err
}

var errNoRegion = errors.New("region is required: give the option, or set AWS_REGION")

// plain reports whether s is made of what names of regions are made of: it
// becomes part of a host's name.
func plain(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Preset implements upstream.Preset.
func (*Provider) Preset() upstream.Vendor { return vendor() }

// UnmarshalCaddyfile reads the provider's block. Syntax:
//
//	provider <name> bedrock {
//		region <name>
//		profile <name>
//		access_key_id <placeholder>
//		secret_access_key <placeholder>
//		session_token <placeholder>
//		base_url <url>
//		api_key <placeholders...>
//		...
//	}
//
// The rest is as in upstream.Config.
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	v := p.Preset()
	return p.Config.Unmarshal(d, &v,
		upstream.Option{Name: "region", Into: &p.Region},
		upstream.Option{Name: "profile", Into: &p.Profile},
		upstream.Option{Name: "access_key_id", Into: &p.AccessKeyID, Secret: true},
		upstream.Option{Name: "secret_access_key", Into: &p.SecretAccessKey, Secret: true},
		upstream.Option{Name: "session_token", Into: &p.SessionToken, Secret: true},
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
