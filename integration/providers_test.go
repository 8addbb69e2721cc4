package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/google/go-cmp/cmp"

	tracking "github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/integration/weirtest"
)

func init() { caddy.RegisterModule(new(overheard)) }

// overheard is an event handler that keeps what `ai.*` events say.
type overheard struct{}

var (
	heardMu sync.Mutex
	heard   []string
)

func (*overheard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.weirtest", New: func() caddy.Module { return new(overheard) }}
}

func (*overheard) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*overheard) Handle(_ context.Context, e caddy.Event) error {
	if !strings.HasPrefix(e.Name(), "ai.") {
		return nil
	}
	text := fmt.Sprint(e.Name(), " from ", e.Origin().CaddyModule().ID)
	for _, name := range []string{"provider", "model", "account", "reason"} {
		if v, ok := e.Data[name]; ok {
			text += fmt.Sprintf(" %s=%s", name, v)
		}
	}
	if _, ok := e.Data["until"].(time.Time); ok {
		text += " until"
	}
	heardMu.Lock()
	defer heardMu.Unlock()
	heard = append(heard, text)
	return nil
}

// hear returns n events or more, since the last time.
func hear(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	eventually(t, fmt.Sprintf("%d events", n), func() bool {
		heardMu.Lock()
		defer heardMu.Unlock()
		if len(heard) < n {
			return false
		}
		list, heard = heard, nil
		return true
	})
	return list
}

// tracker is the running configuration's.
func tracker(t *testing.T) *tracking.Tracker {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("ai")
	if err != nil {
		t.Fatal(err)
	}
	return app.(interface{ Health() *tracking.Tracker }).Health()
}

// TestProvidersAdmin follows the health of a provider through the admin
// endpoint, metrics and events, over reloads that are taken and rejected.
func TestProvidersAdmin(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	t.Setenv("HIDDEN_URL", "http://hidden.internal.example/v1")
	admin := weirtest.FreeAddr(t)
	const ai = "provider up openai_compatible {\n base_url http://127.0.0.1:9/v1\n api_key {env.UPSTREAM_KEY}\n}\n" +
		"provider dark openai_compatible {\n base_url {env.HIDDEN_URL}\n}\n" +
		"model chat up/m\nmodel any-* up/*"

	with := "admin " + admin + "\nmetrics\nevents {\n on ai.target_unhealthy weirtest\n on ai.target_healthy weirtest\n on ai.account_cooling weirtest\n on ai.account_disabled weirtest\n on ai.account_enabled weirtest\n}"
	g := weirtest.StartWith(t, with, ai, "ai_gateway")
	client := newClient(t)
	ask := func(method, path string, want int) string {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != want {
			t.Fatalf("%s %s: %d %v: %s", method, path, res.StatusCode, err, body)
		}
		if strings.Contains(string(body), "secret") || strings.Contains(string(body), "hidden.internal") {
			t.Errorf("%s shows what is not for everybody: %s", path, body)
		}
		return string(body)
	}
	providers := func() map[string]tracking.Report {
		t.Helper()
		var list tracking.Listed
		if err := json.Unmarshal([]byte(ask("GET", "/ai/providers", 200)), &list); err != nil {
			t.Fatal(err)
		}
		reports := make(map[string]tracking.Report)
		for _, r := range list.Data {
			reports[r.Provider] = r
		}
		return reports
	}
	breaker := func() map[string]float64 {
		t.Helper()
		found := make(map[string]float64)
		for name, v := range scrape(t, client, admin) {
			if strings.HasPrefix(name, "caddy_ai_breaker_open") {
				found[strings.TrimPrefix(name, "caddy_ai_breaker_open")] = v
			}
		}
		return found
	}
	account := "" // of the provider, as it is named
	call := func(model string, r tracking.Result) {
		c := tracker(t).Begin(tracking.Target{Provider: "up", Model: model}, account, tracking.Settings{})
		c.End(r)
	}
	state := func(when, want string) {
		t.Helper()
		got := "unknown"
		for _, target := range providers()["up"].Targets {
			if target.Model == "m" {
				got = target.State
			}
		}
		if got != want {
			t.Errorf("%s: m is %s, want %s", when, got, want)
		}
	}

	got := providers()
	if up, dark := got["up"], got["dark"]; len(got) != 2 || up.Module != "openai_compatible" || up.Host != "127.0.0.1:9" || dark.Host != "" {
		t.Errorf("providers: %+v", got)
	}
	if list := got["up"].Accounts; len(list) != 1 || list[0].Account == "" {
		t.Fatalf("accounts: %+v", list)
	}
	account = got["up"].Accounts[0].Account
	state("at first", "closed")
	if diff := cmp.Diff(map[string]float64{`{model="m",provider="up"}`: 0}, breaker()); diff != "" {
		t.Errorf("breakers at first (-want +got)\n%s", diff)
	}

	down := tracking.Result{Class: tracking.Failed, RetryAfter: 4 * time.Minute, Reason: "status 503"}
	for range 5 {
		call("m", down)
		call("invented", down)
	}
	call("m", tracking.Result{Class: tracking.Auth, Reason: "status 401"})
	call("other", tracking.Result{Class: tracking.RateLimit, RetryAfter: time.Minute, Reason: "status 429"})
	want := []string{
		"ai.target_unhealthy from ai provider=up model=m reason=status 503 until",
		"ai.target_unhealthy from ai provider=up model=invented reason=status 503 until",
		"ai.account_disabled from ai provider=up account=" + account + " reason=status 401 until",
		"ai.account_cooling from ai provider=up model=other account=" + account + " reason=status 429 until",
	}
	if diff := cmp.Diff(want, hear(t, len(want))); diff != "" {
		t.Errorf("events (-want +got)\n%s", diff)
	}
	state("after failures", "open")
	wantDown := map[string]float64{`{model="m",provider="up"}`: 1, `{model="_other",provider="up"}`: 1}
	if diff := cmp.Diff(wantDown, breaker()); diff != "" {
		t.Errorf("breakers after failures (-want +got)\n%s", diff)
	}

	// A reload keeps it all.
	if err := g.Load(with, ai, "ai_gateway {\n heartbeat 3s\n}"); err != nil {
		t.Fatal(err)
	}
	state("after a reload", "open")
	if diff := cmp.Diff(wantDown, breaker()); diff != "" {
		t.Errorf("breakers after a reload (-want +got)\n%s", diff)
	}

	// So does one without the provider that fails only when it starts.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config, err := weirtest.Adapt(g.Caddyfile(with, "provider sim simulator", "ai_gateway") + fmt.Sprintf("http://:%d {\n bind 127.0.0.1\n respond hello\n}\n", taken.Addr().(*net.TCPAddr).Port))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // apps start in random order
		if err := caddy.Load(config, true); err == nil {
			t.Fatal("a configuration whose port is taken was loaded")
		}
	}
	// Which closes the admin endpoint of the one that runs on, until the next.
	if err := g.Load(with, ai, "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	state("after rejected reloads", "open")
	if !providers()["up"].Accounts[0].Disabled {
		t.Error("the account is enabled after rejected reloads")
	}

	ask("POST", "/ai/providers/nobody/reset", 404)
	ask("POST", "/ai/providers/up/reset", 204)
	// Targets are reset in no order.
	reset := strings.Join(hear(t, 3), "\n")
	for _, want := range []string{"ai.account_enabled from ai provider=up account=" + account + " reason=reset", "ai.target_healthy from ai provider=up model=m reason=reset", "ai.target_healthy from ai provider=up model=invented reason=reset"} {
		if !strings.Contains(reset, want) {
			t.Errorf("no event %q after a reset, only\n%s", want, reset)
		}
	}
	state("after a reset", "closed")
	if diff := cmp.Diff(map[string]float64{`{model="m",provider="up"}`: 0}, breaker()); diff != "" {
		t.Errorf("breakers after a reset (-want +got)\n%s", diff)
	}

	// What is configured no more is forgotten.
	for range 3 {
		call("m", down)
	}
	hear(t, 1)
	if err := g.Load(with, "provider sim simulator", "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ai.target_healthy from ai provider=up model=m reason=configuration"}, hear(t, 1)); diff != "" {
		t.Errorf("events when the provider goes (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{}, breaker()); diff != "" {
		t.Errorf("breakers when the provider is gone (-want +got)\n%s", diff)
	}
	if err := g.Load(with, ai, "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	state("when it is back", "closed")
}

// Interface guards.
var (
	_ caddyevents.Handler   = (*overheard)(nil)
	_ caddyfile.Unmarshaler = (*overheard)(nil)
)
