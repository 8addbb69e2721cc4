package handlers

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// ParseCache reads the directive ai_cache. Syntax:
//
//	ai_cache [<matcher>] {
//		exact [{
//			ttl <duration>
//			version <text>
//			scope key|team|global
//			tags <tags...>
//			store memory|redis|postgres|<module>
//			secret <placeholder>
//			max_size <size>
//			max_entry <size>
//			stale_while_revalidate <duration>|off
//			stale_if_error <duration>|off
//			jitter <percent>
//			max_temperature <number>
//			tools [on|off]
//			multi_turn [on|off]
//			seed key|ignore|bypass
//			length [on|off]
//			count_hits [on|off]
//			replay fast|paced
//			coalesce [on|off]
//			operations <names...>
//		}]
//		semantic {
//			ttl, version, scope, tags, store, secret as above
//			embedder <model>|static <folder>
//			threshold <number>
//			deadline <duration>
//			turns <number>
//			max_temperature <number>
//			shadow [on|off]
//			guard words|facts|off
//			max_entries <number>
//		}
//	}
//
// With one kind alone the word may stand on the directive's line: `ai_cache exact`,
// `ai_cache semantic { … }`.
func ParseCache(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	c := new(Cache)
	return c, c.UnmarshalCaddyfile(h.Dispenser)
}

// cacheKinds are the kinds of cache.
var cacheKinds = []string{"exact", "semantic"}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (c *Cache) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.CountRemainingArgs() > 0 {
		return c.unmarshalKind(d)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.kind(d); err != nil {
			return err
		}
	}
	if c.Exact == nil && c.Semantic == nil {
		return d.Err("ai_cache needs 'exact' or 'semantic'")
	}
	return nil
}

// unmarshalKind reads a kind of cache, whose name is the argument that follows.
func (c *Cache) unmarshalKind(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("%s needs 'exact' or 'semantic'", d.Val())
	}
	return c.kind(d)
}

// kind reads a kind of cache; d stands on its name.
func (c *Cache) kind(d *caddyfile.Dispenser) error {
	kind := d.Val()
	if kind == "exact" && c.Exact != nil || kind == "semantic" && c.Semantic != nil {
		return d.Errf("%s is given twice", kind)
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	switch kind {
	case "exact":
		c.Exact = new(CacheExact)
		return eachInBlock(d, c.Exact.unmarshalOption)
	case "semantic":
		c.Semantic = new(CacheSemantic)
		if err := eachInBlock(d, c.Semantic.unmarshalOption); err != nil {
			return err
		}
		if c.Semantic.Embedder == "" && c.Semantic.Static == "" {
			return d.Err("semantic needs an embedder, in a block: 'embedder <model>' or 'embedder static <folder>'")
		}
		return nil
	default:
		return d.Errf("unrecognized kind of cache '%s'%s", kind, typo.Suggest(kind, cacheKinds...))
	}
}

// commonOptions, exactOptions and semanticOptions are the options of both kinds of
// cache and of each.
var (
	commonOptions = []string{"ttl", "version", "scope", "tags", "store", "secret"}
	exactOptions  = append([]string{
		"max_size", "max_entry", "stale_while_revalidate", "stale_if_error", "jitter", "max_temperature", "tools",
		"multi_turn", "seed", "length", "count_hits", "replay", "coalesce", "operations",
	}, commonOptions...)
	semanticOptions = append([]string{"embedder", "threshold", "deadline", "turns", "max_temperature", "shadow", "guard", "max_entries"}, commonOptions...)
)

// unmarshalOption reads an option of both kinds; known is false for others.
func (c *CacheCommon) unmarshalOption(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "ttl":
		return true, always(d, &c.TTL)
	case "version":
		return true, words.Word(d, &c.Version)
	case "scope":
		return true, words.Choice(d, &c.Scope, cacheScopes...)
	case "tags":
		return true, words.List(d, &c.Tags)
	case "store":
		if !d.NextArg() {
			return true, d.ArgErr()
		}
		name := d.Val()
		mod, err := words.Guest(d, "ai.stores", "store")
		if err != nil {
			return true, err
		}
		c.StoreRaw = caddyconfig.JSONModuleObject(mod, "store", name, nil)
		return true, nil
	case "secret":
		if err := words.Word(d, &c.Secret); err != nil {
			return true, err
		}
		if err := secret.CheckReference(c.Secret); err != nil {
			return true, d.Errf("secret: %v", err)
		}
		return true, nil
	default:
		return false, nil
	}
}

func (e *CacheExact) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "max_size":
		return words.Size(d, &e.MaxSize)
	case "max_entry":
		return words.Size(d, &e.MaxEntry)
	case "stale_while_revalidate":
		return never(d, &e.StaleWhileRevalidate)
	case "stale_if_error":
		return never(d, &e.StaleIfError)
	case "jitter":
		if err := words.Number(d, &e.Jitter); err != nil {
			return err
		}
		if *e.Jitter > 100 {
			return d.Errf("jitter: '%d' is more than 100 percent", *e.Jitter)
		}
		return nil
	case "max_temperature":
		return temperature(d, &e.MaxTemperature)
	case "tools":
		return words.Switch(d, &e.Tools)
	case "multi_turn":
		e.MultiTurn = new(bool)
		return words.Switch(d, e.MultiTurn)
	case "seed":
		return words.Choice(d, &e.Seed, cacheSeeds...)
	case "length":
		return words.Switch(d, &e.Length)
	case "count_hits":
		return words.Switch(d, &e.CountHits)
	case "replay":
		return words.Choice(d, &e.Replay, cachePaces...)
	case "coalesce":
		e.Coalesce = new(bool)
		return words.Switch(d, e.Coalesce)
	case "operations":
		return operations(d, &e.Operations)
	default:
		known, err := e.CacheCommon.unmarshalOption(d, option)
		if !known {
			return d.Errf("unrecognized option '%s' of an exact cache%s", option, typo.Suggest(option, exactOptions...))
		}
		return err
	}
}

func (s *CacheSemantic) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "embedder":
		args := d.RemainingArgs()
		switch {
		case len(args) == 1:
			s.Embedder = args[0]
		case len(args) == 2 && args[0] == "static":
			s.Static = args[1]
		default:
			return d.Err("embedder takes a model, or 'static' and a folder")
		}
		return nil
	case "threshold":
		if err := words.Fraction(d, &s.Threshold, 0, 1); err != nil {
			return err
		}
		if s.Threshold == 0 {
			return d.Err("threshold: with 0, everything is the same")
		}
		return nil
	case "deadline":
		return always(d, &s.Deadline)
	case "turns":
		return words.Count(d, &s.Turns)
	case "max_temperature":
		return temperature(d, &s.MaxTemperature)
	case "shadow":
		return words.Switch(d, &s.Shadow)
	case "guard":
		return words.Choice(d, &s.Guard, cacheGuards...)
	case "max_entries":
		return words.Count(d, &s.MaxEntries)
	default:
		known, err := s.CacheCommon.unmarshalOption(d, option)
		if !known {
			return d.Errf("unrecognized option '%s' of a semantic cache%s", option, typo.Suggest(option, semanticOptions...))
		}
		return err
	}
}

// always reads a duration that cannot be off.
func always(d *caddyfile.Dispenser, into *caddy.Duration) error {
	option := d.Val()
	if err := words.Duration(d, into); err != nil {
		return err
	}
	if *into < 0 {
		return d.Errf("%s cannot be off", option)
	}
	return nil
}

// never reads a duration whose default is off.
func never(d *caddyfile.Dispenser, into *caddy.Duration) error {
	err := words.Duration(d, into)
	*into = max(*into, 0)
	return err
}

// hottest is the highest temperature that any vendor knows.
const hottest = 2

func temperature(d *caddyfile.Dispenser, into **float64) error {
	*into = new(float64)
	return words.Fraction(d, *into, 0, hottest)
}

func operations(d *caddyfile.Dispenser, into *[]string) error {
	if err := words.List(d, into); err != nil {
		return err
	}
	for _, name := range *into {
		if err := checkWord("operations", name, cacheable); err != nil {
			return d.Errf("%v", err)
		}
	}
	return nil
}

// Interface guard.
var _ caddyfile.Unmarshaler = (*Cache)(nil)
