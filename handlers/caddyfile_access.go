package handlers

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// ParseAuth reads the directive ai_auth. Syntax:
//
//	ai_auth [<matcher>] [anonymous] {
//		anonymous [on|off]
//		identity <placeholders...>
//		team <placeholder>
//	}
func ParseAuth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Auth)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (a *Auth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		if d.Val() != "anonymous" {
			return d.Errf("unrecognized word '%s'%s", d.Val(), typo.Suggest(d.Val(), "anonymous"))
		}
		a.Anonymous = true
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] || option == "anonymous" && a.Anonymous {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		known, err := a.unmarshalOption(d, option)
		if err != nil {
			return err
		}
		if !known {
			return d.Errf("unrecognized ai_auth option '%s'%s", option, typo.Suggest(option, authOptions...))
		}
	}
	return nil
}

// authOptions are those of ai_auth.
var authOptions = []string{"anonymous", "identity", "team"}

// unmarshalOption reads an option of ai_auth; known is false for others.
func (a *Auth) unmarshalOption(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "anonymous":
		return true, words.Switch(d, &a.Anonymous)
	case "identity":
		return true, words.List(d, &a.Identity)
	case "team":
		if !d.AllArgs(&a.Team) {
			return true, d.ArgErr()
		}
		return true, nil
	default:
		return false, nil
	}
}

// ParseLimit reads the directive ai_limit. Syntax:
//
//	ai_limit [<matcher>] {
//		key <placeholders>
//		name <name>
//		requests|tokens|input_tokens|output_tokens|usd|concurrency <amount> [<window>] [<options...>]
//	}
//
// Limits may be given as often as there are windows.
func ParseLimit(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	l := new(Limit)
	return l, l.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (l *Limit) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch option := d.Val(); option {
		case "key":
			if l.Key != "" {
				return d.Err("key is given twice")
			}
			if !d.AllArgs(&l.Key) {
				return d.ArgErr()
			}
		case "name":
			if l.Name != "" {
				return d.Err("name is given twice")
			}
			if !d.AllArgs(&l.Name) {
				return d.ArgErr()
			}
		case "requests", "tokens", "input_tokens", "output_tokens", "usd", "concurrency":
			rule, err := limits.Parse(append([]string{option}, d.RemainingArgs()...))
			if err != nil {
				return d.Errf("%v", err)
			}
			l.Limits = append(l.Limits, rule)
			if err := limits.Check(l.Limits); err != nil {
				return d.WrapErr(err)
			}
		default:
			return d.Errf("unrecognized ai_limit option '%s'%s", option, typo.Suggest(option,
				"key", "name", "requests", "tokens", "input_tokens", "output_tokens", "usd", "concurrency"))
		}
	}
	if len(l.Limits) == 0 {
		return d.Err("ai_limit needs a limit, such as 'requests 10 1m'")
	}
	return nil
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*Auth)(nil)
	_ caddyfile.Unmarshaler = (*Limit)(nil)
)
