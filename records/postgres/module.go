package postgres

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/pg"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
	"github.com/weirproxy/weir/records/ledger"
)

func init() { caddy.RegisterModule(&Module{}) }

// pool holds a store for every database in use, so that a reload keeps its
// connections.
var pool = caddy.NewUsagePool()

// Module is the records `postgres`: all gateways of a fleet keep their usage in
// one database, PostgreSQL 12 or later. Its tables are made when it is first
// used; their names begin with `weir_`.
type Module struct {
	// Where the database is: `postgres://user:password@host/name`. A password
	// is given in a placeholder, as may be the whole. Default:
	// `{env.DATABASE_URL}`.
	URL string `json:"url,omitempty"`

	// How long single requests are kept, 24h at least; negative: for ever.
	// Default: `90d`.
	Retention caddy.Duration `json:"retention,omitempty"`

	// How long sums by hour are kept, as long as requests at least; negative: for
	// ever. Default: for ever.
	SumsRetention caddy.Duration `json:"sums_retention,omitempty"`

	store *Store
	key   string
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.records.postgres", New: func() caddy.Module { return new(Module) }}
}

// Provision finds or makes the store. It connects when it is first used.
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
	retention := ledger.Configured(time.Duration(m.Retention), time.Duration(m.SumsRetention))
	if err := retention.Validate(); err != nil {
		return err
	}
	// The address is part of it by its hash, since it holds a password.
	key := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, address, "\n", retention)))
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		s, err := New(strings.TrimSpace(address), retention)
		if err != nil {
			return nil, err
		}
		return destructor{s}, nil
	})
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	m.store, m.key = value.(destructor).Store, key
	return nil
}

// Store returns the store.
func (m *Module) Store() ledger.Store { return m.store }

// Cleanup lets go of the store.
func (m *Module) Cleanup() error {
	if m.store == nil {
		return nil
	}
	m.store = nil
	_, err := pool.Delete(m.key)
	return err
}

// UnmarshalCaddyfile reads:
//
//	postgres [<url>] {
//		url            <url>
//		retention      <duration>|off
//		sums_retention <duration>|off
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Module(d, "url", &m.URL, pg.CheckPassword, func(option string) error {
		var err error
		switch option {
		case "url":
			if !d.AllArgs(&m.URL) || m.URL == "" {
				err = d.Err("url needs one value")
			}
		case "retention":
			err = words.Duration(d, &m.Retention)
		case "sums_retention":
			err = words.Duration(d, &m.SumsRetention)
		default:
			err = d.Errf("unknown option '%s'%s", option, typo.Suggest(option, "url", "retention", "sums_retention"))
		}
		return err
	})
}

// destructor makes a Store one of a caddy.UsagePool.
type destructor struct{ *Store }

// Destruct implements caddy.Destructor.
func (d destructor) Destruct() error { return d.Close() }

// Interface guards.
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.CleanerUpper    = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
