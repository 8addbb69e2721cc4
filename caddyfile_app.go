package weir

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/internal/words"
)

// parseGlobal reads the global option `ai`. Repeated options add up. Syntax:
//
//	ai [<providers...>] {
//		provider <name> [<module>] {
//			...
//		}
//		model <alias> [<targets...>] {
//			...
//		}
//		key <name> <placeholder|hash> {
//			...
//		}
//		keys_file <path>
//		key_pepper <placeholder>
//		limit [provider|model|team|user|key <name>] <unit> <amount> [<window>] [<options...>]
//		store <module>
//		records <module>|off
//		price <target-pattern> <prices...> [from <date>] [until <date>]
//		unpriced deny|estimate|free
//		tokenizer <model-pattern> <format> <path>
//		usage <sink>
//		drain_timeout <duration>
//		overload off
//		overload {
//			max_in_flight <requests>
//			max_memory <size>|<percent>|off
//			target_latency <duration>|off
//		}
//	}
func parseGlobal(d *caddyfile.Dispenser, existing any) (any, error) {
	p := &appParser{app: new(App), places: make(wordPlaces)}
	if existing, ok := existing.(httpcaddyfile.App); ok {
		p.places = placesOf(existing.Value)
		if err := json.Unmarshal(existing.Value, p.app); err != nil {
			return nil, d.Errf("reading the ai option before this one: %v", err)
		}
		for _, price := range p.app.Prices {
			if err := p.prices.Add(strings.Fields(price)); err != nil {
				return nil, d.WrapErr(err)
			}
		}
	}
	p.missing = unset(d)
	if err := p.parse(d); err != nil {
		return nil, err
	}
	for _, warning := range p.missing {
		caddy.Log().Named("ai").Warn(warning)
	}
	value, err := p.places.carry(caddyconfig.JSON(p.app, nil))
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "ai", Value: value}, nil
}

// appParser builds an App from tokens.
type appParser struct {
	places wordPlaces
	app    *App
	prices prices.Overrides

	// missing are variables of the environment that are not set, and where.
	missing []string
}

func (p *appParser) parse(d *caddyfile.Dispenser) error {
	d.Next()
	for d.NextArg() {
		// Each word stands for a provider without a block. A guest takes all
		// that is left of its segment, so it gets a segment of its own.
		word := caddyfile.NewDispenser([]caddyfile.Token{d.Token()})
		word.Next()
		if err := p.provider(word, word.Val()); err != nil {
			return err
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.option(d); err != nil {
			return err
		}
	}
	return nil
}

func (p *appParser) option(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "provider":
		if !d.NextArg() {
			return d.ArgErr()
		}
		name := d.Val()
		d.NextArg() // the module's name, where it differs
		return p.provider(d, name)
	case "model":
		return p.model(d)
	case "key":
		return p.key(d)
	case "keys_file":
		return p.once(d, &p.app.KeysFile)
	case "key_pepper":
		if err := p.once(d, &p.app.KeyPepper); err != nil {
			return err
		}
		if err := secret.CheckReference(p.app.KeyPepper); err != nil {
			return d.Errf("key_pepper %v", err)
		}
	case "limit":
		return p.limit(d)
	case "store":
		return p.store(d)
	case "records":
		return p.records(d)
	case "price":
		return p.price(d)
	case "unpriced":
		if p.app.Unpriced != "" {
			return d.Err("unpriced is given twice")
		}
		return words.Choice(d, &p.app.Unpriced, gateway.UnpricedDeny, gateway.UnpricedEstimate, gateway.UnpricedFree)
	case "tokenizer":
		var t Tokenizer
		if !d.AllArgs(&t.Models, &t.Format, &t.Path) {
			return d.ArgErr()
		}
		if t.Format != "tiktoken" && t.Format != "huggingface" && t.Format != "sentencepiece" {
			return d.Errf("tokenizer: unknown format '%s'%s", t.Format, typo.Suggest(t.Format, "tiktoken", "huggingface", "sentencepiece"))
		}
		for _, other := range p.app.Tokenizers {
			if strings.EqualFold(other.Models, t.Models) {
				return d.Errf("tokenizer of '%s' is given twice", t.Models)
			}
		}
		p.app.Tokenizers = append(p.app.Tokenizers, t)
	case "usage":
		if !d.NextArg() {
			return d.ArgErr()
		}
		sink := d.Val()
		mod, err := words.Guest(d, "ai.usage", "usage sink")
		if err != nil {
			return err
		}
		raw := caddyconfig.JSONModuleObject(mod, "sink", sink, nil)
		for _, other := range p.app.UsageRaw {
			if bytes.Equal(other, raw) {
				return d.Errf("usage %s is given twice", sink) // each record would be written twice
			}
		}
		p.app.UsageRaw = append(p.app.UsageRaw, raw)
	case "drain_timeout":
		if p.app.DrainTimeout != 0 {
			return d.Err("drain_timeout is given twice")
		}
		return words.Duration(d, &p.app.DrainTimeout)
	case "overload":
		return p.overload(d)
	default:
		return d.Errf("unrecognized ai option '%s'%s", d.Val(), typo.Suggest(d.Val(), "provider", "model", "key", "keys_file", "key_pepper", "limit", "store", "records", "price", "unpriced", "tokenizer", "usage", "drain_timeout", "overload"))
	}
	return nil
}

// provider reads a provider's block; d stands on the module's name.
func (p *appParser) provider(d *caddyfile.Dispenser, name string) error {
	if err := checkProviderName(name); err != nil {
		return d.WrapErr(err)
	}
	if _, ok := p.app.ProvidersRaw[name]; ok {
		return d.Errf("provider '%s' is given twice", name)
	}
	module, here := d.Val(), place(d)
	mod, err := words.Guest(d, "ai.providers", "provider")
	if err != nil {
		return err
	}
	if p.app.ProvidersRaw == nil {
		p.app.ProvidersRaw = make(map[string]json.RawMessage)
	}
	if preset, ok := mod.(upstream.Preset); ok && !preset.HasKey() {
		p.missing = append(p.missing, unsetIn(here, preset.Preset().KeyPlaceholder)...)
	}
	p.app.ProvidersRaw[name] = caddyconfig.JSONModuleObject(mod, "provider", module, nil)
	return nil
}
