package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
)

func init() { caddy.RegisterModule(&Module{}) }

// pool holds a store for every server and settings in use, so that a reload
// keeps connections and breakers.
var pool = caddy.NewUsagePool()

// defaultURL is the usual variable.
const defaultURL = "{env.REDIS_URL}"

// Module is the store `redis`: the counters of limits, and answers where they
// are cached, are shared by all gateways that use the same server and prefix. Redis 6.2 or later and Valkey
// will do, alone, behind Sentinel or as a Cluster.
type Module struct {
	// Where the server is: `redis://user:password@host:port/db`, `rediss://`
	// for TLS, `unix:///path`; more addresses of a Cluster or of Sentinels as
	// `?addr=host:port`, the name that Sentinels watch as `?master_set=name`.
	// A password is given in a placeholder. Default: `{env.REDIS_URL}`.
	URL string `json:"url,omitempty"`

	// TLS beyond what `rediss://` implies. Default: the system's authorities,
	// and no certificate of one's own.
	TLS *TLS `json:"tls,omitempty"`

	// What every key begins with. Gateways that share limits have the same.
	// Default: `weir`.
	Prefix string `json:"prefix,omitempty"`

	// How long a decision may take before the limits' `on_store_error` decides.
	// Default: `50ms`.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// How many connections decisions are pipelined over, 256 at most.
	// Default: `4`.
	Pool int64 `json:"pool,omitempty"`

	// `strict` asks the server about every request. `leased` borrows room from
	// it in chunks and decides about that alone, which saves most round trips;
	// limits on concurrency stay strict. See limits.Leased for what it promises.
	// Default: `strict`.
	Mode string `json:"mode,omitempty"`

	// With `leased`, how long the server keeps room for a gateway that does not
	// come back; at least 200 ms, and never more than a quarter of a limit's
	// window. Default: `10s`.
	Lease caddy.Duration `json:"lease,omitempty"`

	// With `leased`, how much of what a limit has left all gateways together may
	// borrow ahead of time, in percent, 1 to 50. Default: `25`.
	Chunk int64 `json:"chunk,omitempty"`

	store limits.Store
	key   string

	// options are what the cache is made of when it is asked for, at cacheKey.
	options  Options
	cacheKey string
	cache    *Cache
}

// The modes.
const (
	modeStrict = "strict"
	modeLeased = "leased"
)

// TLS is what the connection to the server needs to know.
type TLS struct {
	// A PEM file with the authorities that are trusted instead of the
	// system's. Default: the system's.
	CA string `json:"ca,omitempty"`

	// A PEM file with the certificate that the gateway shows. Default: none.
	Certificate string `json:"certificate,omitempty"`

	// A PEM file with the certificate's key. Default: none.
	Key string `json:"key,omitempty"`

	// The name that the server's certificate must have. Default: its host.
	ServerName string `json:"server_name,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.stores.redis", New: func() caddy.Module { return new(Module) }}
}

// Provision resolves the settings and finds or makes the store. It does not
// connect: see Store.SelfTest.
func (m *Module) Provision(caddy.Context) error {
	if m.URL == "" {
		m.URL = defaultURL
	}
	if err := checkPassword(m.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	repl := caddy.NewReplacer()
	address, err := secret.Expand(m.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if m.Deadline < 0 {
		return errors.New("deadline: decisions must have one")
	}
	if m.Pool < 0 || m.Pool > 256 {
		return fmt.Errorf("pool: %d is not between 1 and 256", m.Pool)
	}
	if err := m.checkMode(); err != nil {
		return err
	}
	options := Options{URL: address, Prefix: m.Prefix, Deadline: time.Duration(m.Deadline), Pool: int(m.Pool)}
	if m.TLS != nil {
		if options.TLS, err = m.TLS.config(repl); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	key, err := fingerprint(m, address)
	if err != nil {
		return err
	}
	m.options = Options{URL: address, TLS: options.TLS, Prefix: m.Prefix}
	if m.cacheKey, err = fingerprint(&Module{URL: m.URL, TLS: m.TLS, Prefix: m.Prefix}, address); err != nil {
		return err
	}
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		s, err := New(options, time.Now)
		if err != nil {
			return nil, err
		}
		if m.Mode == modeLeased {
			return destructor{limits.NewLeased(s, m.terms(), time.Now, nil)}, nil
		}
		return destructor{s}, nil
	})
	if err != nil {
		return err
	}
	m.store, m.key = value.(destructor).Store, key
	return nil
}

// fingerprint stands for a server and settings. The address is part of it by its
// hash, since it holds a password.
func fingerprint(m *Module, address string) (string, error) {
	settings, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("comparing settings: %w", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(settings, address...))), nil
}

func (m *Module) checkMode() error {
	switch m.Mode {
	case "", modeStrict:
		if m.Lease != 0 || m.Chunk != 0 {
			return errors.New("lease and chunk are for mode leased")
		}
	case modeLeased:
		if m.Lease != 0 && time.Duration(m.Lease) < limits.ShortestLease {
			return fmt.Errorf("lease: %s is shorter than %s", time.Duration(m.Lease), limits.ShortestLease)
		}
		if m.Chunk < 0 || m.Chunk > maxChunk {
			return fmt.Errorf("chunk: %d is not between 1 and %d percent", m.Chunk, maxChunk)
		}
	default:
		return fmt.Errorf("unknown mode '%s'%s", m.Mode, typo.Suggest(m.Mode, modeStrict, modeLeased))
	}
	return nil
}

// maxChunk is the most that may be lent: the rest of a limit must be left to
// those that have no chunk.
const maxChunk = 50

// terms are those of the mode leased.
func (m *Module) terms() limits.Terms {
	terms := limits.DefaultTerms
	if m.Lease > 0 {
		terms.Time = time.Duration(m.Lease)
	}
	if m.Chunk > 0 {
		terms.Percent = m.Chunk
	}
	return terms
}

// checkPassword refuses a URL with a password that is not one placeholder.
func checkPassword(address string) error {
	_, rest, _ := strings.Cut(address, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return nil
	}
	_, password, has := strings.Cut(rest[:at], ":")
	if !has {
		return nil
	}
	return secret.CheckPassword(password)
}

func (t *TLS) config(repl *caddy.Replacer) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(repl.ReplaceKnown(t.CA, ""))
		if err != nil {
			return nil, fmt.Errorf("reading ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s has no PEM certificate", t.CA)
		}
	}
	if t.Certificate != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(repl.ReplaceKnown(t.Certificate, ""), repl.ReplaceKnown(t.Key, ""))
		if err != nil {
			return nil, fmt.Errorf("reading certificate and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Store returns the store; requests in flight may use it after Cleanup.
func (m *Module) Store() limits.Store { return m.store }

// Remote implements cache.RemoteProvider. It connects in the background, and
// only for those that ask for it: a gateway that keeps no answers has no
// connections for them. A reload keeps it while server, TLS and prefix stay.
func (m *Module) Remote() (cache.Remote, error) {
	if m.cache != nil {
		return m.cache, nil
	}
	value, _, err := pool.LoadOrNew("cache "+m.cacheKey, func() (caddy.Destructor, error) { return NewCache(m.options, time.Now) })
	if err != nil {
		return nil, fmt.Errorf("opening the cache in redis: %w", err)
	}
	m.cache = value.(*Cache)
	return m.cache, nil
}

// Cleanup lets go of the store, whose connections stay until the last
// reservation is settled, and of the cache.
func (m *Module) Cleanup() error {
	var failed error
	if m.cache != nil {
		m.cache = nil
		_, failed = pool.Delete("cache " + m.cacheKey)
	}
	if m.store == nil {
		return failed
	}
	m.store = nil
	_, err := pool.Delete(m.key)
	return errors.Join(failed, err)
}

// destructor makes a Store one of a caddy.UsagePool.
type destructor struct{ limits.Store }

// Destruct implements caddy.Destructor.
func (d destructor) Destruct() error { return d.Close() }

// Interface guards.
var (
	_ caddy.Provisioner    = (*Module)(nil)
	_ caddy.CleanerUpper   = (*Module)(nil)
	_ cache.RemoteProvider = (*Module)(nil)
)
