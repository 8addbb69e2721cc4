package weir

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// once reads an option's one value.
func (p *appParser) once(d *caddyfile.Dispenser, into *string) error {
	option := d.Val()
	if *into != "" {
		return d.Errf("%s is given twice", option)
	}
	if !d.AllArgs(into) {
		return d.ArgErr()
	}
	return nil
}

// key reads a virtual key. Syntax:
//
//	key <name> <placeholder|hash> {
//		models <patterns...>
//		limit <unit> <amount> [<window>] [<options...>]
//		expires <date|time|duration>
//		user <name>
//		team <name>
//		priority critical|high|normal|low|batch
//		tags <tags...>
//		metadata <name> <value>
//		disabled
//	}
//
// A duration counts from when the file is read, so it fits temporary files only.
func (p *appParser) key(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.ArgErr()
	}
	if _, ok := p.app.Keys[name]; ok {
		return d.Errf("key '%s' is given twice", name)
	}
	if !keys.IsHash(value) {
		if err := secret.CheckReference(value); err != nil {
			return d.Errf("key '%s': its secret %v, or a hash made by `caddy ai keys hash`", name, err)
		}
	}
	k := &Key{Secret: value}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] && option != "limit" && option != "metadata" {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := k.option(d, option); err != nil {
			return err
		}
		if option == "limit" {
			p.places.noteDowngrade(&k.Limits[len(k.Limits)-1], d)
		}
	}
	if p.app.Keys == nil {
		p.app.Keys = make(map[string]*Key)
	}
	p.app.Keys[name] = k
	return nil
}

func (k *Key) option(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "models":
		if k.Models = d.RemainingArgs(); len(k.Models) == 0 {
			return d.ArgErr()
		}
		for _, pattern := range k.Models {
			if err := keys.CheckPattern(pattern); err != nil {
				return d.Errf("models: %v", err)
			}
		}
	case "limit":
		return addLimit(d, &k.Limits)
	case "expires":
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		expires, ok := readTime(value)
		if !ok {
			return d.Errf("expires: '%s' is no date (2027-01-31), time (RFC 3339) or duration", value)
		}
		k.Expires = expires
	case "user":
		if !d.AllArgs(&k.User) {
			return d.ArgErr()
		}
	case "team":
		if !d.AllArgs(&k.Team) {
			return d.ArgErr()
		}
	case "priority":
		if !d.AllArgs(&k.Priority) {
			return d.ArgErr()
		}
		if _, err := queue.ParseClass(k.Priority); err != nil {
			return d.Errf("%v", err)
		}
	case "tags":
		if k.Tags = d.RemainingArgs(); len(k.Tags) == 0 {
			return d.ArgErr()
		}
	case "metadata":
		var name, value string
		if !d.AllArgs(&name, &value) {
			return d.ArgErr()
		}
		if k.Metadata == nil {
			k.Metadata = make(map[string]string)
		}
		if _, ok := k.Metadata[name]; ok {
			return d.Errf("metadata %s is given twice", name)
		}
		k.Metadata[name] = value
	case "disabled":
		if d.NextArg() {
			return d.ArgErr()
		}
		k.Disabled = true
	default:
		return d.Errf("unrecognized key option '%s'%s", option, typo.Suggest(option,
			"models", "limit", "expires", "user", "team", "priority", "tags", "metadata", "disabled"))
	}
	return nil
}

func readTime(value string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, true
		}
	}
	if d, err := caddy.ParseDuration(value); err == nil && d > 0 {
		return time.Now().Add(d).Truncate(time.Second), true
	}
	return time.Time{}, false
}

// limit reads a limit of the whole gateway or of one bearer.
func (p *appParser) limit(d *caddyfile.Dispenser) error {
	place := place(d)
	args := d.RemainingArgs()
	var l Limit
	if len(args) > 2 && slices.Contains(gateway.NamedScopes, args[0]) {
		l.Scope, l.Name, args = args[0], args[1], args[2:]
		p.places.name("limit "+l.Scope, l.Name, place)
	}
	if len(args) > 2 && l.Scope == "" && limits.IsUnit(args[2]) {
		return d.Errf("limit: unknown holder '%s'%s (known: %s)", args[0], typo.Suggest(args[0], gateway.NamedScopes...), strings.Join(gateway.NamedScopes, ", "))
	}
	rule, err := limits.Parse(args)
	if err != nil {
		return d.Errf("limit: %v", err)
	}
	l.Rule = rule
	var same []limits.Rule
	for i := range p.app.Limits {
		if other := &p.app.Limits[i]; other.Scope == l.Scope && other.Name == l.Name {
			same = append(same, other.Rule)
		}
	}
	if err := limits.Check(append(same, rule)); err != nil {
		return d.WrapErr(err)
	}
	p.app.Limits = append(p.app.Limits, l)
	p.places.noteDowngrade(&l.Rule, d)
	return nil
}

// addLimit reads a limit that stands in the block of who has it.
func addLimit(d *caddyfile.Dispenser, into *[]limits.Rule) error {
	rule, err := limits.Parse(d.RemainingArgs())
	if err != nil {
		return d.Errf("limit: %v", err)
	}
	*into = append(*into, rule)
	if err := limits.Check(*into); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (p *appParser) store(d *caddyfile.Dispenser) error {
	if p.app.StoreRaw != nil {
		return d.Err("store is given twice")
	}
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	mod, err := words.Guest(d, "ai.stores", "store")
	if err != nil {
		return err
	}
	p.app.StoreRaw = caddyconfig.JSONModuleObject(mod, "store", name, nil)
	return nil
}

func (p *appParser) price(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	here := place(d)
	if err := p.prices.Add(args); err != nil {
		return d.WrapErr(err)
	}
	p.places.name("price", args[0], here)
	p.app.Prices = append(p.app.Prices, strings.Join(args, " "))
	return nil
}

func (p *appParser) records(d *caddyfile.Dispenser) error {
	if p.app.RecordsRaw != nil {
		return d.Err("records is given twice")
	}
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	if name == "off" {
		if d.NextArg() || d.NextBlock(d.Nesting()) {
			return d.ArgErr()
		}
		p.app.RecordsRaw = json.RawMessage(recordsOff)
		return nil
	}
	mod, err := words.Guest(d, "ai.records", "kind of records")
	if err != nil {
		return err
	}
	p.app.RecordsRaw = caddyconfig.JSONModuleObject(mod, "records", name, nil)
	return nil
}
