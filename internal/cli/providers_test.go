package cli

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway/health"
)

// still is a clock that stands still.
type still struct{}

func (still) Now() time.Time { return noon }

func TestProviders(t *testing.T) {
	tracker := health.New(still{}, func() float64 { return 0.5 })
	tracker.Configure([]health.Provider{{Name: "up", Accounts: []string{"key-1", "key-2"}}, {Name: "idle"}}, nil)
	call := func(model, account string, r health.Result) {
		c := tracker.Begin(health.Target{Provider: "up", Model: model}, account, health.Settings{MaxFails: 1})
		c.FirstToken(120 * time.Millisecond)
		c.End(r)
	}
	call("a", "key-1", health.Result{Class: health.RateLimit, RetryAfter: time.Minute})
	call("a", "key-2", health.Result{Class: health.Auth})
	call("b", "key-1", health.Result{Class: health.Failed, RetryAfter: 2 * time.Minute})
	server := httptest.NewServer(health.AdminHandler(tracker, []health.Description{{Name: "idle"}, {Name: "up"}}))
	t.Cleanup(server.Close)
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := (&providersCLI{request: caddycmd.AdminAPIRequest}).command()
		cmd.SetArgs(append(args, "--address", server.Listener.Addr().String()))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := cmd.Execute()
		return out.String(), err
	}
	table := func(text string) (rows []string) {
		for line := range strings.Lines(text) {
			rows = append(rows, strings.Join(strings.Fields(line), " "))
		}
		return rows
	}
	out, err := run()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"TARGET ACCOUNT STATE UNTIL FAILURES IN FLIGHT TTFT P95 QUOTA LEFT",
		"idle - unused - - - - - -",
		"up key-2 disabled 2026-11-25 12:05:00 - - - - -",
		"up/a - no_account 2026-11-25 12:01:00 0 0 120ms - -",
		"up/a key-1 cooling 2026-11-25 12:01:00 - 0 - - 100%",
		"up/a key-2 ready - - 0 - - 100%",
		"up/b - open 2026-11-25 12:02:00 1 0 120ms - -",
		"up/b key-1 ready - - 0 - - 100%",
	}
	if diff := cmp.Diff(want, table(out)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if out, err := run("reset", "up"); err != nil || out != "" {
		t.Fatalf("reset: %v %s", err, out)
	}
	out, err = run("--json")
	var list health.Listed
	if err != nil || json.Unmarshal([]byte(out), &list) != nil || len(list.Data) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, p := range list.Data {
		for _, x := range p.Targets {
			if !x.Healthy {
				t.Errorf("after a reset: %+v", x)
			}
		}
	}
	if _, err := run("reset", "nobody"); err == nil || !strings.Contains(err.Error(), "there is no provider 'nobody'") {
		t.Errorf("reset of nobody: %v", err)
	}
}
