package upstream

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
)

// UnmarshalCaddyfile reads a provider's block. Syntax:
//
//	provider <name> [<module>] {
//		base_url <url>
//		api_key <placeholder>
//		header <name> <value>
//		serves <operations...>
//		transport <module> {
//			...
//		}
//	}
//
// Scalars may be given once.
func (c *Config) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return c.Unmarshal(d) }

// Option is one more option of a guest's block that takes one value.
type Option struct {
	Name string
	Into *string

	// Secret: the value has to be a placeholder.
	Secret bool
}

func (o *Option) unmarshal(d *caddyfile.Dispenser) error {
	if *o.Into != "" {
		return d.Errf("%s is given twice", o.Name)
	}
	if !d.AllArgs(o.Into) {
		return d.ArgErr()
	}
	if *o.Into == "" {
		return d.Errf("%s is empty", o.Name)
	}
	if o.Secret {
		if err := secret.CheckReference(*o.Into); err != nil {
			return d.Errf("%s %v", o.Name, err)
		}
	}
	return nil
}

// Unmarshal reads a provider's block that may also have the options given.
func (c *Config) Unmarshal(d *caddyfile.Dispenser, options ...Option) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.unmarshalOption(d, options); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) unmarshalOption(d *caddyfile.Dispenser, options []Option) error {
	switch d.Val() {
	case "base_url":
		return (&Option{Name: "base_url", Into: &c.BaseURL}).unmarshal(d)
	case "api_key":
		return (&Option{Name: "api_key", Into: &c.APIKey, Secret: true}).unmarshal(d)
	case "header":
		var name, value string
		if !d.AllArgs(&name, &value) {
			return d.ArgErr()
		}
		if c.Headers == nil {
			c.Headers = make(map[string]string)
		}
		if _, ok := c.Headers[name]; ok {
			return d.Errf("header %s is given twice", name)
		}
		c.Headers[name] = value
	case "serves":
		if c.Serves != nil {
			return d.Err("serves is given twice")
		}
		if c.Serves = d.RemainingArgs(); len(c.Serves) == 0 {
			return d.ArgErr()
		}
	case "transport":
		if c.TransportRaw != nil {
			return d.Err("transport is given twice")
		}
		if !d.NextArg() {
			return d.ArgErr()
		}
		protocol := d.Val()
		const namespace = "http.reverse_proxy.transport"
		if _, err := caddy.GetModule(namespace + "." + protocol); err != nil {
			var known []string
			for _, info := range caddy.GetModules(namespace) {
				known = append(known, info.ID.Name())
			}
			return d.Errf("unknown transport '%s'%s", protocol, typo.Suggest(protocol, known...))
		}
		mod, err := caddyfile.UnmarshalModule(d, namespace+"."+protocol)
		if err != nil {
			return err
		}
		if _, ok := mod.(http.RoundTripper); !ok {
			return d.Errf("transport module %s (%T) is not an http.RoundTripper", protocol, mod)
		}
		c.TransportRaw = caddyconfig.JSONModuleObject(mod, "protocol", protocol, nil)
	default:
		known := []string{"base_url", "api_key", "header", "serves", "transport"}
		for i := range options {
			if options[i].Name == d.Val() {
				return options[i].unmarshal(d)
			}
			known = append(known, options[i].Name)
		}
		return d.Errf("unrecognized provider option '%s'%s", d.Val(), typo.Suggest(d.Val(), known...))
	}
	return nil
}
