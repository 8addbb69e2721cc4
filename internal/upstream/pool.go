package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// pool holds the transports by their settings, so that connections survive
// reloads that do not change them: a reload provisions the new configuration
// before it cleans up the old one.
var pool = caddy.NewUsagePool()

// transport sends requests through its current generation.
type transport struct {
	current atomic.Pointer[generation]

	// load returns another generation; nil where the module belongs to the
	// configuration, which then keeps its only one.
	load func() (*generation, error)

	mu        sync.Mutex
	following bool
	closed    bool
	stop      chan struct{}
	lookup    func(ctx context.Context, host string) ([]string, error)
	tick      func() (<-chan time.Time, func())
}

func newTransport(first *generation) *transport {
	t := &transport{stop: make(chan struct{}), tick: everyLookup}
	t.current.Store(first)
	return t
}

// acquireTransport returns the transport that c names, and what lets it go.
func acquireTransport(ctx caddy.Context, c *Config, socket string) (*transport, func() error, error) {
	raw := c.TransportRaw
	if raw == nil {
		raw = json.RawMessage(defaultProtocol)
	}
	s, err := readSettings(raw)
	if err != nil {
		return nil, nil, err
	}
	lookup, err := resolver(s)
	if err != nil {
		return nil, nil, err
	}
	key, shared, err := shareKey(raw, s, socket)
	if err != nil {
		return nil, nil, err
	}
	if !shared {
		rt, err := loadTransport(ctx, raw, s)
		if err != nil {
			return nil, nil, err
		}
		t := newTransport(newGeneration(rt, socket))
		t.lookup = lookup
		t.watch()
		return t, t.Destruct, nil
	}
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		load := func() (*generation, error) {
			// The configuration that asks first is not the last that uses it.
			own, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
			rt, err := loadTransport(own, raw, s)
			if err != nil {
				cancel()
				return nil, err
			}
			g := newGeneration(rt, socket)
			g.unload = cancel
			return g, nil
		}
		first, err := load()
		if err != nil {
			return nil, err
		}
		t := newTransport(first)
		t.load, t.lookup = load, lookup
		t.watch()
		return t, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return value.(*transport), func() error {
		_, err := pool.Delete(key)
		return err
	}, nil
}

// acquire returns a generation for one request, to be released after it.
func (t *transport) acquire() *generation {
	g := t.current.Load()
	g.acquire()
	return g
}

// renew puts another generation in the place of g.
func (t *transport) renew(g *generation) {
	if t.load == nil {
		g.closeIdle()
		return
	}
	next, err := t.load()
	if err != nil {
		return // what it is made of is gone: the old one still works
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		next.retire()
		return
	}
	t.adopt(next)
	t.current.Store(next)
	t.mu.Unlock()
	g.retire()
}

// Destruct implements caddy.Destructor.
func (t *transport) Destruct() error {
	t.mu.Lock()
	t.closed = true
	close(t.stop)
	g := t.current.Load()
	t.mu.Unlock()
	g.retire()
	return nil
}

// shareKey returns what identifies a transport across configurations: its
// settings and the content of the files that they name. Modules that hang on
// a configuration's apps or on placeholders are not shared.
func shareKey(raw json.RawMessage, s *settings, socket string) (key string, ok bool, err error) {
	if s.Protocol != "http" || s.ForwardProxyURL != "" {
		return "", false, nil
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return "", false, fmt.Errorf("reading transport: %w", err)
	}
	if hasPlaceholder(tree) {
		return "", false, nil
	}
	canonical, err := json.Marshal(tree) // sorts the members
	if err != nil {
		return "", false, fmt.Errorf("reading transport: %w", err)
	}
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%s\x00%s\x00", canonical, socket)
	if t := s.TLS; t != nil {
		files := append([]string{t.Certificate, t.CertificateKey}, t.RootPEMFiles...)
		if t.Automate != "" {
			return "", false, nil
		}
		if len(t.CA) > 0 {
			var ca struct {
				Provider string   `json:"provider"`
				Files    []string `json:"pem_files"`
			}
			if err := json.Unmarshal(t.CA, &ca); err != nil {
				return "", false, fmt.Errorf("reading transport: %w", err)
			}
			switch ca.Provider {
			case "inline":
			case "file":
				files = append(files, ca.Files...)
			default:
				return "", false, nil
			}
		}
		for _, name := range files {
			if name == "" {
				continue
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return "", false, fmt.Errorf("reading transport's file: %w", err)
			}
			sum := sha256.Sum256(data)
			_, _ = hash.Write(sum[:])
		}
	}
	return string(hash.Sum(nil)), true, nil
}

func hasPlaceholder(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, '{')
	case []any:
		for _, e := range v {
			if hasPlaceholder(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if hasPlaceholder(e) {
				return true
			}
		}
	}
	return false
}

// fixed is the transport of a provider that has no network.
func fixed(rt http.RoundTripper) *transport { return newTransport(newGeneration(rt, "")) }
