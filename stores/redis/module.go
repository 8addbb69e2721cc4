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

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/secret"
)

func init() { caddy.RegisterModule(&Module{}) }

// pool holds a store for every server and settings in use, so that a reload
// keeps connections and breakers.
var pool = caddy.NewUsagePool()

// defaultURL is the usual variable.
const defaultURL = "{env.REDIS_URL}"

// Module is the store `redis`: the counters of limits are shared by all
// gateways that use the same server and prefix. Redis 6.2 or later and Valkey
// will do, alone, behind Sentinel or as a Cluster.
type Module struct {
	// Where the server is: `redis://user:password@host:port/db`, `rediss://`
	// for TLS, `unix:///path`; more addresses of a Cluster or of Sentinels as
	// `?addr=host:port`, the name that Sentinels watch as `?master_set=name`.
	// A password is given in a placeholder. Default: `{env.REDIS_URL}`.
	URL string `json:"url,omitempty"`

	// TLS beyond what `rediss://` implies.
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

	store *Store
	key   string
}

// TLS is what the connection to the server needs to know.
type TLS struct {
	// A PEM file with the authorities that are trusted instead of the
	// system's. Default: the system's.
	CA string `json:"ca,omitempty"`

	// PEM files with the certificate and key that the gateway shows.
	// Default: none.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`

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
		return fmt.Errorf("url: a password %w", err)
	}
	repl := caddy.NewReplacer()
	address, err := repl.ReplaceOrErr(m.URL, true, true)
	if err != nil {
		return errors.New("url: a placeholder in it is not set or empty")
	}
	if m.Deadline < 0 {
		return errors.New("deadline: decisions must have one")
	}
	if m.Pool < 0 || m.Pool > 256 {
		return fmt.Errorf("pool: %d is not between 1 and 256", m.Pool)
	}
	options := Options{URL: address, Prefix: m.Prefix, Deadline: time.Duration(m.Deadline), Pool: int(m.Pool)}
	if m.TLS != nil {
		if options.TLS, err = m.TLS.config(repl); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	settings, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("comparing settings: %w", err)
	}
	// The address is part of it by its hash, since it holds a password.
	key := fmt.Sprintf("%x", sha256.Sum256(append(settings, address...)))
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		s, err := New(options, time.Now)
		if err != nil {
			return nil, err
		}
		return destructor{s}, nil
	})
	if err != nil {
		return err
	}
	m.store, m.key = value.(destructor).Store, key
	return nil
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
	return secret.CheckReference(password)
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

// Cleanup lets go of the store; its connections stay until the last
// reservation is settled.
func (m *Module) Cleanup() error {
	if m.store == nil {
		return nil
	}
	m.store = nil
	_, err := pool.Delete(m.key)
	return err
}

// destructor makes a Store one of a caddy.UsagePool.
type destructor struct{ *Store }

// Destruct implements caddy.Destructor.
func (d destructor) Destruct() error { return d.Close() }

// Interface guards.
var (
	_ caddy.Provisioner  = (*Module)(nil)
	_ caddy.CleanerUpper = (*Module)(nil)
)
