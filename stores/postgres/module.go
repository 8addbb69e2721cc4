package postgres

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/pg"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

func init() { caddy.RegisterModule(&Module{}) }

// pool holds a cache for every database, prefix and deadline in use, so that a
// reload keeps its connections.
var pool = caddy.NewUsagePool()

// Module is the store `postgres`: answers that all gateways of a fleet share, in
// a PostgreSQL database, 12 or later. It is for `cache`; limits are not counted
// here. Its tables are made when it is first used. Vectors are searched in the
// database where it has pgvector.
type Module struct {
	// Where the database is: `postgres://user:password@host/name`, with
	// `?search_path=` for another schema than the user's and `?pool_max_conns=` for
	// other than 4 connections. A password is given in a placeholder, as may be
	// the whole. Default: `{env.DATABASE_URL}`.
	URL string `json:"url,omitempty"`

	// How long a look-up may take; a slower one is a miss. Default: `50ms`.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// What the names of the tables begin with: at most 40 lower-case letters,
	// digits and underscores. Gateways that share answers have the same.
	// Default: `weir_cache`.
	Prefix string `json:"prefix,omitempty"`

	options Options
	key     string
	cache   *Cache
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.stores.postgres", New: func() caddy.Module { return new(Module) }}
}

// Provision resolves the settings. Nothing is dialled, nor before somebody asks
// for the Remote.
func (m *Module) Provision(caddy.Context) error {
	if m.URL == "" {
		m.URL = pg.DefaultURL
	}
	if err := pg.CheckPassword(m.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	address, err := secret.Expand(m.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if m.Deadline < 0 {
		return errors.New("deadline: look-ups must have one")
	}
	if m.Prefix != "" && !prefixed.MatchString(m.Prefix) {
		return fmt.Errorf("prefix: '%s' is not of at most 40 lower-case letters, digits and underscores", m.Prefix)
	}
	m.options = Options{URL: strings.TrimSpace(address), Deadline: time.Duration(m.Deadline), Prefix: m.Prefix}
	if _, err := pg.Parse(m.options.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	// The address is part of it by its hash, since it holds a password.
	m.key = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, m.options.URL, "\n", m.options.Prefix, "\n", m.options.Deadline)))
	return nil
}

// Remote implements cache.RemoteProvider. It connects in the background, and only
// for those that ask for it.
func (m *Module) Remote() (cache.Remote, error) {
	if m.cache != nil {
		return m.cache, nil
	}
	value, _, err := pool.LoadOrNew(m.key, func() (caddy.Destructor, error) {
		options := m.options
		// It outlives this configuration.
		options.Logger = caddy.Log().Named("ai.stores.postgres")
		return NewCache(options, time.Now)
	})
	if err != nil {
		return nil, fmt.Errorf("opening the cache in postgresql: %w", err)
	}
	m.cache = value.(*Cache)
	return m.cache, nil
}

// Cleanup lets go of the cache.
func (m *Module) Cleanup() error {
	if m.cache == nil {
		return nil
	}
	m.cache = nil
	_, err := pool.Delete(m.key)
	return err
}

// UnmarshalCaddyfile reads:
//
//	postgres [<url>] {
//		url      <url>
//		deadline <duration>
//		prefix   <word>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Module(d, "url", &m.URL, pg.CheckPassword, func(option string) error {
		var err error
		switch option {
		case "url":
			err = words.Word(d, &m.URL)
		case "deadline":
			if err = words.Duration(d, &m.Deadline); err == nil && m.Deadline < 0 {
				err = d.Err("deadline cannot be off: look-ups must have one")
			}
		case "prefix":
			if err = words.Word(d, &m.Prefix); err == nil && !prefixed.MatchString(m.Prefix) {
				err = d.Errf("prefix: '%s' is not of at most 40 lower-case letters, digits and underscores", m.Prefix)
			}
		default:
			err = d.Errf("unknown option '%s'%s", option, typo.Suggest(option, "url", "deadline", "prefix"))
		}
		return err
	})
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.CleanerUpper    = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
	_ cache.RemoteProvider  = (*Module)(nil)
)
