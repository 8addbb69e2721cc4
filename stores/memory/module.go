package memory

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

func init() { caddy.RegisterModule(&Module{}) }

// pool holds the process's one store while any configuration uses it, so that
// a reload goes on counting.
var pool = caddy.NewUsagePool()

const poolKey = "memory"

// Module is the store `memory`: the counters of limits are kept by this
// instance alone. Reloads keep them, restarts do not.
type Module struct {
	// How many counters are kept at most. Idle ones make room for new ones;
	// when all are in use, requests that need another are refused. The number
	// stays as it is for as long as the store lives, reloads included.
	// Default: `1048576`.
	Counters int64 `json:"counters,omitempty"`

	store *Store
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.stores.memory", New: func() caddy.Module { return new(Module) }}
}

// Provision finds or makes the process's store.
func (m *Module) Provision(caddy.Context) error {
	if m.Counters < 0 {
		return fmt.Errorf("counters: %d is no number of counters", m.Counters)
	}
	value, _, err := pool.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return destructor{New(time.Now, int(m.Counters))}, nil
	})
	if err != nil {
		return fmt.Errorf("sharing counters: %w", err)
	}
	m.store = value.(destructor).Store
	return nil
}

// Store returns the store; requests in flight may use it after Cleanup.
func (m *Module) Store() limits.Store { return m.store }

// Cleanup lets go of the store.
func (m *Module) Cleanup() error {
	if m.store == nil {
		return nil
	}
	m.store = nil
	_, err := pool.Delete(poolKey)
	return err
}

// UnmarshalCaddyfile reads:
//
//	memory {
//		counters <number>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return words.Options(d, nil, func(option string) error {
		switch option {
		case "counters":
			return words.Count(d, &m.Counters)
		default:
			return d.Errf("unknown option '%s'%s", option, typo.Suggest(option, "counters"))
		}
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
