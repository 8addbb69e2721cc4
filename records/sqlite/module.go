package sqlite

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
	"github.com/weirproxy/weir/records/ledger"
)

func init() { caddy.RegisterModule(&Module{}) }

// pool holds a store for every file in use, so that a reload does not close
// what is being written.
var pool = caddy.NewUsagePool()

// Module is the records `sqlite`: usage is kept in a file of this machine.
type Module struct {
	// The database's file. Placeholders are resolved when the configuration is
	// loaded. Default: `ai/usage.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

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
	return caddy.ModuleInfo{ID: "ai.records.sqlite", New: func() caddy.Module { return new(Module) }}
}

// Provision finds or makes the store, which opens the file when it is first
// used.
func (m *Module) Provision(caddy.Context) error {
	path := filepath.Join(caddy.AppDataDir(), "ai", "usage.db")
	if m.Path != "" {
		var err error
		if path, err = caddy.NewReplacer().ReplaceOrErr(m.Path, true, true); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	retention := ledger.Configured(time.Duration(m.Retention), time.Duration(m.SumsRetention))
	if err := retention.Validate(); err != nil {
		return err
	}
	key := fmt.Sprint(path, retention)
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		return destructor{New(path, retention)}, nil
	})
	if err != nil {
		return err
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
//	sqlite [<path>] {
//		path           <file>
//		retention      <duration>|off
//		sums_retention <duration>|off
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Module(d, "path", &m.Path, nil, func(option string) error {
		var err error
		switch option {
		case "path":
			if !d.AllArgs(&m.Path) || m.Path == "" {
				err = d.Err("path needs one value")
			}
		case "retention":
			err = words.Duration(d, &m.Retention)
		case "sums_retention":
			err = words.Duration(d, &m.SumsRetention)
		default:
			err = d.Errf("unknown option '%s'%s", option, typo.Suggest(option, "path", "retention", "sums_retention"))
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
