// Package weirtest runs Weir inside the test's own process, as Caddy would,
// and speaks to it through real sockets.
package weirtest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	// Caddy's own modules and Weir's.
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/weirproxy/weir"
	"github.com/weirproxy/weir/internal/needtest"
)

// Gateway is a Caddy that runs Weir. Caddy is one per process, so tests that
// use it must not run in parallel.
type Gateway struct {
	// URL is the site's base URL, without a path.
	URL string

	// Addr is the site's host and port.
	Addr string

	// Records receives the usage records of all configurations.
	Records *Recorder

	storage string
}

// Start runs a gateway until the test ends. ai is the inside of the global
// `ai` block and site the inside of the site's block; the records go to
// Records.
func Start(t testing.TB, ai, site string) *Gateway {
	t.Helper()
	return StartWith(t, "", ai, site)
}

// StartWith is Start with further global options.
func StartWith(t testing.TB, global, ai, site string) *Gateway {
	t.Helper()
	g := &Gateway{Addr: FreeAddr(t), Records: newRecorder(), storage: t.TempDir()}
	t.Setenv("XDG_DATA_HOME", g.storage) // the ledger's place
	g.URL = "http://" + g.Addr
	current.Store(g.Records)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	if err := g.Load(global, ai, site); err != nil {
		t.Fatalf("loading: %v", err)
	}
	return g
}

// Load replaces the running configuration.
func (g *Gateway) Load(global, ai, site string) error {
	config, err := Adapt(g.Caddyfile(global, ai, site))
	if err != nil {
		return err
	}
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	Swapped(g.Addr)
	return nil
}

// Swapped waits until a reload has swapped the listener of addr: Caddy resets
// connections that its old listener has taken and its old server has not, and
// closes idle ones at a moment when they may be used again. A probe that is
// answered on many fresh connections in a row says that it is over; a site that
// answers nothing has nothing to wait for.
func Swapped(addr string) {
	http.DefaultClient.CloseIdleConnections()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	answered := 0
	for range 100 {
		res, err := client.Head("http://" + addr + "/")
		if err != nil {
			answered = 0
			continue
		}
		_ = res.Body.Close()
		if answered++; answered == 15 {
			return
		}
	}
}

// Caddyfile is the whole configuration in which ai and site stand.
func (g *Gateway) Caddyfile(global, ai, site string) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	storage file_system %s
	%s
	ai {
		usage weirtest
		%s
		%s
	}
}
http://:%s {
	bind 127.0.0.1
	%s
}
`, g.storage, global, shedding(ai), ai, port(g.Addr), site)
}

// shedding turns the shedding of load off for tests that do not ask for it: how
// busy the machine is must not decide their results.
func shedding(ai string) string {
	if strings.Contains(ai, "overload") {
		return ""
	}
	return "overload off"
}

// Adapt makes JSON of a Caddyfile; warnings are errors.
func Adapt(caddyfile string) ([]byte, error) {
	adapter := caddyconfig.GetAdapter("caddyfile")
	config, warnings, err := adapter.Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, fmt.Errorf("adapting: %w", err)
	}
	for _, w := range warnings {
		// The templates of tests are not indented as `caddy fmt` would.
		if !strings.Contains(w.Message, "not formatted") {
			return nil, fmt.Errorf("adapting: %s:%d: %s", w.File, w.Line, w.Message)
		}
	}
	return config, nil
}

// Validate provisions a Caddyfile without running it, as `caddy validate`
// does.
func Validate(caddyfile string) error {
	config, err := Adapt(caddyfile)
	if err != nil {
		return err
	}
	var cfg caddy.Config
	if err := json.Unmarshal(config, &cfg); err != nil {
		return fmt.Errorf("decoding: %w", err)
	}
	return caddy.Validate(&cfg)
}

// FreeAddr returns a loopback address that nobody listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(needtest.Port(t)))
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// Quiet sends Caddy's logs nowhere; for TestMain.
func Quiet() {
	if os.Getenv("WEIR_TEST_LOGS") == "" {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err == nil {
			os.Stderr = null
		}
	}
}
