package upstream

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// UnmarshalCaddyfile reads a provider's block. Syntax:
//
//	provider <name> [<module>] {
//		base_url <url>
//		api_key <placeholders...>
//		key_policy <policy> [<args...>]
//		header <name> <value>
//		serves <operations...>
//		warm [<connections>]
//		max_inputs <inputs>
//		max_in_flight <calls>
//		queue <duration> [<calls>]
//		health_interval <duration>
//		health_timeout <duration>
//		transport <module> {
//			...
//		}
//	}
//
// Scalars may be given once; api_key may be repeated: each placeholder is an
// account.
func (c *Config) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return c.Unmarshal(d, &Vendor{}) }

// Preset is a provider's module that tells of its vendor before it is provisioned:
// what depends on settings is left out.
type Preset interface {
	Preset() Vendor

	// HasKey reports whether the configuration names a key.
	HasKey() bool
}

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

// Unmarshal reads a vendor's block that may also have the options given.
func (c *Config) Unmarshal(d *caddyfile.Dispenser, vendor *Vendor, options ...Option) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	var policy any
	var place *caddyfile.Dispenser
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		if d.Val() == "key_policy" {
			place = caddyfile.NewDispenser([]caddyfile.Token{d.Token()})
			policy, err = c.unmarshalPolicy(d)
		} else {
			err = c.unmarshalOption(d, vendor, options)
		}
		if err != nil {
			return err
		}
	}
	if err := fit(policy, max(1, len(c.APIKeys))); err != nil {
		place.Next()
		return place.WrapErr(err)
	}
	if err := c.Check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (c *Config) unmarshalPolicy(d *caddyfile.Dispenser) (policy any, err error) {
	if c.KeyPolicyRaw != nil {
		return nil, d.Err("key_policy is given twice")
	}
	if !d.NextArg() {
		return nil, d.ArgErr()
	}
	name := d.Val()
	mod, err := words.Guest(d, "ai.policies", "policy")
	if err != nil {
		return nil, err
	}
	c.KeyPolicyRaw = caddyconfig.JSONModuleObject(mod, "policy", name, nil)
	return mod, nil
}

func (c *Config) unmarshalOption(d *caddyfile.Dispenser, vendor *Vendor, options []Option) error {
	switch d.Val() {
	case "base_url":
		return c.unmarshalBase(d)
	case "api_key":
		return c.unmarshalKeys(d)
	case "warm":
		return c.unmarshalWarm(d)
	case "max_inputs":
		return c.unmarshalMaxInputs(d)
	case "header":
		return c.unmarshalHeader(d)
	case "serves":
		if c.Serves != nil {
			return d.Err("serves is given twice")
		}
		if c.Serves = d.RemainingArgs(); len(c.Serves) == 0 {
			return d.ArgErr()
		}
		if _, err := vendor.Only(c.Serves); err != nil {
			return d.WrapErr(err)
		}
	case "transport":
		if c.TransportRaw != nil {
			return d.Err("transport is given twice")
		}
		if !d.NextArg() {
			return d.ArgErr()
		}
		protocol := d.Val()
		mod, err := words.Guest(d, namespace, "transport")
		if err != nil {
			return err
		}
		if _, ok := mod.(http.RoundTripper); !ok {
			return d.Errf("transport module %s (%T) is not an http.RoundTripper", protocol, mod)
		}
		c.TransportRaw = caddyconfig.JSONModuleObject(mod, "protocol", protocol, nil)
	default:
		if known, err := c.Common.Unmarshal(d); known {
			return err
		}
		known := append([]string{"base_url", "api_key", "key_policy", "header", "serves", "warm", "max_inputs", "transport"}, CommonOptions...)
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

func (c *Config) unmarshalBase(d *caddyfile.Dispenser) error {
	if err := (&Option{Name: "base_url", Into: &c.BaseURL}).unmarshal(d); err != nil {
		return err
	}
	if !strings.Contains(c.BaseURL, "{") { // else it is known when the configuration is loaded
		if _, _, err := parseBase(c.BaseURL, new(Vendor)); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func (c *Config) unmarshalHeader(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.ArgErr()
	}
	if err := checkHeader(name, value); err != nil {
		return d.WrapErr(err)
	}
	for other := range c.Headers {
		if strings.EqualFold(name, other) {
			return d.Errf("header %s is given twice", name)
		}
	}
	if c.Headers == nil {
		c.Headers = make(map[string]string)
	}
	c.Headers[name] = value
	return nil
}

// unmarshalKeys reads the placeholders of one line.
func (c *Config) unmarshalKeys(d *caddyfile.Dispenser) error {
	references := d.RemainingArgs()
	if len(references) == 0 {
		return d.ArgErr()
	}
	for _, reference := range references {
		if reference == "" {
			return d.Err("api_key is empty")
		}
		if err := secret.CheckReference(reference); err != nil {
			return d.Errf("api_key %v", err)
		}
		if reference == c.APIKey || slices.Contains(c.APIKeys, reference) {
			return d.Errf("api_key %s is given twice", reference)
		}
		if c.APIKey == "" && len(c.APIKeys) == 0 {
			c.APIKey = reference
			continue
		}
		if c.APIKey != "" {
			c.APIKeys, c.APIKey = []string{c.APIKey}, ""
		}
		c.APIKeys = append(c.APIKeys, reference)
	}
	return nil
}

func (c *Config) unmarshalWarm(d *caddyfile.Dispenser) error {
	if c.WarmConnections != 0 {
		return d.Err("warm is given twice")
	}
	if d.CountRemainingArgs() == 0 {
		c.WarmConnections = 1
		return nil
	}
	return words.Few(d, &c.WarmConnections, maxWarm)
}

func (c *Config) unmarshalMaxInputs(d *caddyfile.Dispenser) error {
	if c.MaxInputs != 0 {
		return d.Err("max_inputs is given twice")
	}
	return words.Few(d, &c.MaxInputs, maxInputs)
}

// maxInputs bounds what can be meant by a bound.
const maxInputs = 1_000_000
