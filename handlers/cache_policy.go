package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/wire"
)

// CacheCommon is what both kinds of cache have.
type CacheCommon struct {
	// How long an answer is fresh; with the time that it may be served stale, at most
	// 30 days. Default: `1h`.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// Any text; with another one, answers kept so far are forgotten. Placeholders
	// are resolved when the configuration is loaded. Default: empty.
	Version string `json:"version,omitempty"`

	// Who shares answers: `key`, only the key that asked first; `team`, all of its
	// team; `global`, everybody. It goes by who the caller was found to be, never by
	// what the request says. Default: `key`.
	Scope string `json:"scope,omitempty"`

	// Names by which kept answers can be purged, with placeholders. Default: none
	// but those that every answer has.
	Tags []string `json:"tags,omitempty"`

	// Where answers are kept behind the process's memory, a module of ai.stores; with
	// `memory` nowhere. Default: the ai app's store, if it can keep answers.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=ai.stores inline_key=store"`

	// A placeholder for a secret that all instances have. With it, they take nothing
	// from the store but what was put there by one that has it: whoever else can write
	// there cannot put answers into their mouths. Default: none, the store is trusted.
	Secret string `json:"secret,omitempty"`

	store any           // what StoreRaw stands for
	seal  secret.Secret // what Secret stands for
}

// CacheExact says which answers are kept for requests that ask for the very same.
type CacheExact struct {
	CacheCommon

	// The memory of the process that answers may take, in bytes; of all handlers
	// the largest counts. Default: `268435456` (256 MiB).
	MaxSize int64 `json:"max_size,omitempty"`

	// The most bytes that an answer may have to be kept. Default: `1048576` (1 MiB).
	MaxEntry int64 `json:"max_entry,omitempty"`

	// How long after its TTL an answer is still served while a new one is fetched
	// behind it. Default: `0s`, never.
	StaleWhileRevalidate caddy.Duration `json:"stale_while_revalidate,omitempty"`

	// How long after its TTL an answer is still served when no upstream can give a
	// new one. Default: `0s`, never.
	StaleIfError caddy.Duration `json:"stale_if_error,omitempty"`

	// By how much the TTLs of answers are cut at random, in percent, so that those made
	// together do not expire together; 0 to 100. Default: `10`.
	Jitter *int `json:"jitter,omitempty"`

	// The highest temperature that a request may ask for; one that names none is
	// served from the cache. Default: `1`.
	MaxTemperature *float64 `json:"max_temperature,omitempty"`

	// Whether requests that offer tools are served and answers that call them are
	// kept. Default: `false`.
	Tools bool `json:"tools,omitempty"`

	// Whether requests with more than one user turn are served. Default: `true`.
	MultiTurn *bool `json:"multi_turn,omitempty"`

	// What a request's `seed` does: `key`, each has answers of its own; `ignore`, it
	// makes no difference; `bypass`, a request with one is not served.
	// Default: `key`.
	Seed string `json:"seed,omitempty"`

	// Whether answers are kept that ended because they met their cap on tokens.
	// Default: `false`.
	Length bool `json:"length,omitempty"`

	// Whether the tokens of answers from the cache count against limits on tokens.
	// Default: `false`.
	CountHits bool `json:"count_hits,omitempty"`

	// How fast a kept answer is streamed: `fast`, at once; `paced`, as its upstream
	// did. Default: `fast`.
	Replay string `json:"replay,omitempty"`

	// Whether requests that ask for the same at the same time share one call.
	// Default: `true`.
	Coalesce *bool `json:"coalesce,omitempty"`

	// What requests are served: `chat`, `completions`, `responses`, `messages`,
	// `generate_content`, `embeddings`, `embed_content`, `batch_embed_contents`.
	// Default: all of these.
	Operations []string `json:"operations,omitempty"`

	answers *cache.Cache
	detach  func() // from the fleet's purges
}

// Defaults of the caches' settings.
const (
	defaultCacheTTL         = time.Hour
	defaultCacheSize        = 256 << 20
	defaultCacheEntry       = 1 << 20
	defaultCacheJitter      = 10
	defaultCacheTemperature = 1

	defaultSemanticThreshold   = 0.95
	defaultSemanticDeadline    = 100 * time.Millisecond
	defaultSemanticTemperature = 0.7
	defaultSemanticEntries     = 10_000
)

// The values of CacheExact.Seed and CacheExact.Replay.
const (
	seedKey    = "key"
	seedIgnore = "ignore"
	seedBypass = "bypass"

	replayFast  = "fast"
	replayPaced = "paced"
)

var (
	cacheScopes = []string{gateway.ScopeKey, gateway.ScopeTeam, gateway.ScopeGlobal}
	cacheGuards = []string{"words", "facts", "off"} // in the order of semantic's
	cacheSeeds  = []string{seedKey, seedIgnore, seedBypass}
	cachePaces  = []string{replayFast, replayPaced}

	// cacheable are the names of what can be kept: answers that are text or vectors
	// and that a later caller would get just the same.
	cacheable = []string{
		wire.Chat.Name, wire.Completions.Name, wire.Responses.Name, wire.Messages.Name, wire.GeminiGenerate.Name,
		wire.Embeddings.Name, wire.GeminiEmbed.Name, wire.GeminiBatchEmbed.Name,
	}
)

func (c *CacheCommon) provision(ctx caddy.Context) (err error) {
	setDefault(&c.TTL, caddy.Duration(defaultCacheTTL))
	if c.Scope == "" {
		c.Scope = gateway.ScopeKey
	}
	if c.Version, err = caddy.NewReplacer().ReplaceOrErr(c.Version, true, true); err != nil {
		return fmt.Errorf("resolving version: %w", err)
	}
	if c.Secret != "" {
		if c.seal, err = secret.Resolve(c.Secret); err != nil {
			return fmt.Errorf("secret: %w", err)
		}
	}
	if c.StoreRaw != nil {
		if c.store, err = ctx.LoadModule(c, "StoreRaw"); err != nil {
			return fmt.Errorf("loading store: %w", err)
		}
	}
	return nil
}

func (c *CacheCommon) check() error {
	switch {
	case c.TTL < 0:
		return errors.New("ttl must be longer than 0")
	case time.Duration(c.TTL) > cache.MaxLife:
		return fmt.Errorf("ttl %s is more than %s, the longest that an answer is kept", time.Duration(c.TTL), cache.MaxLife)
	}
	if len(c.Tags) > maxTags {
		return fmt.Errorf("tags: %d are more than %d", len(c.Tags), maxTags)
	}
	for _, tag := range c.Tags {
		if !strings.Contains(tag, "{") && !validTag(tag) {
			return fmt.Errorf("tags: '%s' %s", tag, tagForm)
		}
	}
	return checkWord("scope", c.Scope, cacheScopes)
}

func (e *CacheExact) provision(ctx caddy.Context) error {
	setDefault(&e.MaxSize, defaultCacheSize)
	setDefault(&e.MaxEntry, min(defaultCacheEntry, e.MaxSize))
	fillIn(&e.Jitter, defaultCacheJitter)
	fillIn(&e.MaxTemperature, defaultCacheTemperature)
	fillIn(&e.MultiTurn, true)
	fillIn(&e.Coalesce, true)
	if e.Seed == "" {
		e.Seed = seedKey
	}
	if e.Replay == "" {
		e.Replay = replayFast
	}
	if e.Operations == nil {
		e.Operations = cacheable
	}
	return e.CacheCommon.provision(ctx)
}

func (e *CacheExact) check() error {
	switch {
	case e.MaxSize < 0 || e.MaxEntry < 0:
		return errors.New("sizes must not be negative")
	case e.MaxEntry > e.MaxSize:
		return fmt.Errorf("max_entry %d is more than max_size %d", e.MaxEntry, e.MaxSize)
	case e.StaleWhileRevalidate < 0 || e.StaleIfError < 0:
		return errors.New("durations must not be negative")
	case max(e.StaleWhileRevalidate, e.StaleIfError) > caddy.Duration(cache.MaxLife)-min(e.TTL, caddy.Duration(cache.MaxLife)):
		return fmt.Errorf("ttl and the time that answers are served stale are together more than %s, the longest that an answer is kept", cache.MaxLife)
	case *e.Jitter < 0 || *e.Jitter > 100:
		return fmt.Errorf("jitter must be from 0 to 100 percent, not %d", *e.Jitter)
	case !(*e.MaxTemperature >= 0):
		return errors.New("max_temperature must not be negative")
	}
	for _, name := range e.Operations {
		if err := checkWord("operations", name, cacheable); err != nil {
			return err
		}
	}
	if err := checkWord("seed", e.Seed, cacheSeeds); err != nil {
		return err
	}
	if err := checkWord("replay", e.Replay, cachePaces); err != nil {
		return err
	}
	return e.CacheCommon.check()
}

// covers reports whether answers of op may be kept.
func (e *CacheExact) covers(op *wire.Operation) bool { return slices.Contains(e.Operations, op.Name) }

// fillIn sets a field that is not given. A field whose default is not its zero
// value is a pointer, so that zero can be given.
func fillIn[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func checkWord(option, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s: '%s' is none of %v%s", option, value, known, typo.Suggest(value, known...))
}

// tags are those of an answer to r that the configuration names, resolved. ok is
// false when one is no tag: the answer could not be purged by it.
func (c *CacheCommon) tags(r *http.Request) (tags []string, ok bool) {
	if len(c.Tags) == 0 {
		return nil, true
	}
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	tags = make([]string, 0, len(c.Tags))
	for _, tag := range c.Tags {
		if repl != nil {
			tag = repl.ReplaceAll(tag, "")
		}
		switch {
		case tag == "" || slices.Contains(tags, tag): // a key without such metadata
		case !validTag(tag):
			return nil, false
		default:
			tags = append(tags, tag)
		}
	}
	return tags, true
}
