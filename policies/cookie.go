package policies

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

func init() { caddy.RegisterModule(Cookie{}) }

// Cookie leads a browser's requests to the same target by a cookie, which
// holds an HMAC of the target's name.
type Cookie struct {
	// The cookie's name. Default: `lb`.
	Name string `json:"name,omitempty"`

	// What the HMAC is keyed with, as a placeholder such as `{env.LB_SECRET}`.
	// Default: nothing, so that who knows the targets' names can tell where a
	// cookie leads.
	Secret string `json:"secret,omitempty"`

	// How long the cookie lasts. Default: the browser's session.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// The policy for requests without a cookie, or whose target is not usable.
	// Default: `random`.
	FallbackRaw json.RawMessage `json:"fallback,omitempty" caddy:"namespace=ai.policies inline_key=policy"`

	fallback fallback
	secret   secret.Secret
}

// CaddyModule returns the Caddy module information.
func (Cookie) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "cookie", New: func() caddy.Module { return new(Cookie) }}
}

// Provision implements caddy.Provisioner.
func (c *Cookie) Provision(ctx caddy.Context) (err error) {
	if c.Name == "" {
		c.Name = "lb"
	}
	if parsed, err := http.ParseSetCookie(c.Name + "=x"); err != nil || parsed.Name != c.Name {
		return fmt.Errorf("'%s' is no name of a cookie", c.Name)
	}
	if c.MaxAge < 0 {
		return fmt.Errorf("max_age must not be negative")
	}
	if c.Secret != "" {
		if c.secret, err = secret.Resolve(c.Secret); err != nil {
			return fmt.Errorf("secret: %w", err)
		}
	}
	if c.FallbackRaw == nil {
		c.FallbackRaw = defaultFallback
	}
	return c.fallback.load(ctx, c)
}

// Policy implements Module.
func (c *Cookie) Policy() balance.Policy {
	return balance.NewCookie(c.Name, c.secret.Reveal(), time.Duration(c.MaxAge), c.fallback.module.Policy())
}

// Fit implements Fitting.
func (c *Cookie) Fit(targets int) error { return c.fallback.fit(targets) }

// UnmarshalCaddyfile reads:
//
//	cookie [<name> [<secret>]] {
//		fallback <policy>
//		max_age <duration>
//	}
func (c *Cookie) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	switch len(args) {
	case 2:
		if err := secret.CheckReference(args[1]); err != nil {
			return d.Errf("the secret of the cookie %v", err)
		}
		c.Secret = args[1]
		fallthrough
	case 1:
		c.Name = args[0]
	case 0:
	default:
		return d.ArgErr()
	}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		switch option {
		case "fallback":
			if err := c.fallback.read(d, &c.FallbackRaw); err != nil {
				return err
			}
		case "max_age":
			if err := words.Duration(d, &c.MaxAge); err != nil {
				return err
			}
			c.MaxAge = max(c.MaxAge, 0) // off is the default
		default:
			return d.Errf("unrecognized option '%s'%s", option, typo.Suggest(option, "fallback", "max_age"))
		}
	}
	return nil
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*Cookie)(nil)
	_ Module                = (*Cookie)(nil)
	_ Fitting               = (*Cookie)(nil)
	_ caddyfile.Unmarshaler = (*Cookie)(nil)
)
