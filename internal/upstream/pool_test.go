package upstream

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/internal/waittest"
	"github.com/weirproxy/weir/wire"
)

// What an upstream is called over: the first with http1, the others with
// net/http.
const (
	overPlain = "plain"
	overTLS   = "TLS"
	overHTTP2 = "HTTP/2"
)

// counted is a server whose streams wait for a release, and that counts its
// connections.
type counted struct {
	*httptest.Server
	opened  atomic.Int64
	open    waittest.Count
	release chan struct{}
}

func newCounted(t *testing.T, protocol string) *counted {
	t.Helper()
	c := &counted{release: make(chan struct{})}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
			<-c.release
			_, _ = io.WriteString(w, " end")
		}
	}))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			c.opened.Add(1)
			c.open.Add(1)
		case http.StateClosed:
			c.open.Add(-1)
		}
	}
	if c.EnableHTTP2 = protocol == overHTTP2; protocol == overPlain {
		c.Start()
	} else {
		c.StartTLS()
	}
	t.Cleanup(c.Close)
	return c
}

// loaded is one configuration.
type loaded struct {
	client *Client
	cancel context.CancelFunc
}

func load(t *testing.T, c Config) *loaded {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	client, err := c.Provision(ctx, Vendor{Operations: []*wire.Operation{wire.Chat}})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	return &loaded{client, cancel}
}

func (l *loaded) unload(t *testing.T) {
	t.Helper()
	if err := l.client.Cleanup(); err != nil {
		t.Error(err)
	}
	l.cancel()
}

func finish(t *testing.T, res *http.Response, want string) {
	t.Helper()
	if data, err := io.ReadAll(res.Body); string(data) != want || err != nil {
		t.Errorf("stream %q, %v, want %q", data, err, want)
	}
	_ = res.Body.Close()
}

const insecure = `{"protocol":"http","tls":{"insecure_skip_verify":true}}`

// TestReloads holds that connections survive configurations that do not change
// their transport, streams those that do, and that nothing is left of either.
func TestReloads(t *testing.T) {
	for _, protocol := range []string{overPlain, overTLS, overHTTP2} {
		t.Run(protocol, func(t *testing.T) {
			server := newCounted(t, protocol)
			proto := "HTTP/1.1"
			if protocol == overHTTP2 {
				proto = "HTTP/2.0"
			}
			same := Config{BaseURL: server.URL, TransportRaw: json.RawMessage(insecure)}
			before := runtime.NumGoroutine()
			current := load(t, same)
			held := stream(t, current.client)
			if _, err := post(t, current.client); err != nil {
				t.Fatal(err)
			}
			opened := server.opened.Load()
			for range 200 {
				// The order of members is no change.
				same.TransportRaw = json.RawMessage(`{"tls":{"insecure_skip_verify":true},"protocol":"http"}`)
				next := load(t, same)
				current.unload(t)
				current = next
				if got, err := post(t, current.client); got != proto || err != nil {
					t.Fatalf("%q, %v", got, err)
				}
			}
			if n := server.opened.Load(); n != opened {
				t.Errorf("200 reloads opened %d connections", n-opened)
			}

			// Each of these has a transport of its own, and a stream that outlives it.
			var streams []*http.Response
			for i := range 20 {
				next := load(t, Config{BaseURL: server.URL, TransportRaw: json.RawMessage(
					fmt.Sprintf(`{"protocol":"http","max_conns_per_host":%d,"tls":{"insecure_skip_verify":true}}`, i+100))})
				current.unload(t)
				current = next
				streams = append(streams, stream(t, current.client))
			}
			last := current.client
			current.unload(t)
			// An exchange that began under a configuration may call after its end.
			if got, err := post(t, last); got != proto || err != nil {
				t.Errorf("after the end: %q, %v", got, err)
			}
			close(server.release)
			finish(t, held, proto+" end")
			for _, res := range streams {
				finish(t, res, proto+" end")
			}
			server.open.Wait(t, 0)
			waittest.Eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

// TestReloadsUnderCalls changes the transport while calls are made.
func TestReloadsUnderCalls(t *testing.T) {
	for _, protocol := range []string{overPlain, overHTTP2} {
		t.Run(protocol, func(t *testing.T) { reloadUnderCalls(t, protocol) })
	}
}

func reloadUnderCalls(t *testing.T, protocol string) {
	server := newCounted(t, protocol)
	proto := "HTTP/1.1"
	if protocol == overHTTP2 {
		proto = "HTTP/2.0"
	}
	var current atomic.Pointer[loaded]
	current.Store(load(t, Config{BaseURL: server.URL, TransportRaw: json.RawMessage(insecure)}))
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := post(t, current.Load().client); got != proto || err != nil {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	for i := range 30 {
		next := load(t, Config{BaseURL: server.URL, TransportRaw: json.RawMessage(
			fmt.Sprintf(`{"protocol":"http","max_conns_per_host":%d,"tls":{"insecure_skip_verify":true}}`, i%3+100))})
		current.Swap(next).unload(t)
	}
	close(stop)
	callers.Wait()
	current.Load().unload(t)
	server.open.Wait(t, 0)
}

// TestShareKey holds what makes two transports the same.
func TestShareKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	write := func(a *authority) {
		t.Helper()
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(newAuthority(t))
	key := func(raw, socket string) string {
		t.Helper()
		s, err := readSettings(json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		key, ok, err := shareKey(json.RawMessage(raw), s, socket)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return "own"
		}
		return key
	}
	plain := key(defaultProtocol, "")
	if key(`{ "protocol" : "http" }`, "") != plain || key(defaultProtocol, "/run/a.sock") == plain || key(`{"protocol":"http","dial_timeout":"1s"}`, "") == plain {
		t.Error("settings")
	}
	for _, raw := range []string{
		`{"protocol":"other"}`,
		`{"protocol":"http","tls":{"server_name":"{env.NAME}"}}`,
		`{"protocol":"http","network_proxy":{"from":"url","url":"{file./proxy}"}}`,
		`{"protocol":"http","tls":{"client_certificate_automate":"me"}}`,
		`{"protocol":"http","tls":{"ca":{"provider":"pki_root"}}}`,
	} {
		if key(raw, "") != "own" {
			t.Errorf("%s is shared", raw)
		}
	}
	for _, raw := range []string{
		fmt.Sprintf(`{"protocol":"http","tls":{"ca":{"provider":"file","pem_files":[%q]}}}`, file),
		fmt.Sprintf(`{"protocol":"http","tls":{"root_ca_pem_files":[%q]}}`, file),
	} {
		before := key(raw, "")
		if before == "own" || key(raw, "") != before {
			t.Errorf("%s is not shared", raw)
		}
		write(newAuthority(t))
		if key(raw, "") == before {
			t.Errorf("%s: another file is not noticed", raw)
		}
	}
}

// TestRejectedConfiguration holds that one which fails leaves nothing.
func TestRejectedConfiguration(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		c := Config{BaseURL: "http://127.0.0.1:1", TransportRaw: json.RawMessage(`{"protocol":"http","versions":["9"]}`)}
		client, err := c.Provision(ctx, Vendor{})
		if err == nil {
			t.Fatal("accepted")
		}
		if err := client.Cleanup(); err != nil {
			t.Error(err)
		}
		cancel()
	}
	n := 0
	pool.Range(func(any, any) bool { n++; return true })
	if n != 0 || runtime.NumGoroutine() > before {
		t.Errorf("%d transports, %d goroutines more", n, runtime.NumGoroutine()-before)
	}
}
