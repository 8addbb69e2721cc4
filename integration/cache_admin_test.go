package integration

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestCacheAdmin holds that administrators see what is kept, and that what they
// purge is paid for again while the rest is not.
func TestCacheAdmin(t *testing.T) {
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	const (
		ai   = "provider sim simulator\nmodel m sim/default\nmodel n sim/default\nmodel w-* sim/*\nkey ci {env.CI_KEY}"
		site = "ai_gateway {\ncache exact {\ntags app\n}\n}"
	)
	g := weirtest.Start(t, ai, site)
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(g.Caddyfile("", ai, site), admin)); err != nil {
		t.Fatal(err)
	}
	ask := func(model string) string {
		t.Helper()
		status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", `{"model":"`+model+`","messages":[{"role":"user","content":"hello"}]}`)
		if status != http.StatusOK {
			t.Fatalf("%d: %s", status, body)
		}
		return header.Get("X-AI-Cache")
	}
	want := func(model, word string) {
		t.Helper()
		if got := ask(model); got != word {
			t.Errorf("%s: %s, want %s", model, got, word)
		}
	}
	report := func() (r cache.Report) {
		t.Helper()
		if err := json.Unmarshal(askAdmin(t, admin, http.MethodGet, "/ai/cache", "", http.StatusOK), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := report()
	for _, model := range []string{"m", "n"} {
		want(model, "miss")
		want(model, "hit")
	}
	if r := report(); r.Entries < before.Entries+2 || r.Hits < before.Hits+2 || r.Bytes <= before.Bytes || r.MaxBytes == 0 {
		t.Errorf("%+v after %+v", r, before)
	}
	for _, tt := range []struct{ body, m, n string }{
		{`{"model":"m"}`, "miss", "hit"},
		{`{"model":"sim/default"}`, "miss", "miss"},
		{`{"tag":"app"}`, "miss", "miss"},
		{`{"tag":"another"}`, "hit", "hit"},
		{`{"key":"ci"}`, "miss", "miss"},
		{`{"key":"another"}`, "hit", "hit"},
		{`{"all":true}`, "miss", "miss"},
	} {
		askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", tt.body, http.StatusNoContent)
		want("m", tt.m)
		want("n", tt.n)
		want("m", "hit")
		want("n", "hit")
	}
	for _, model := range []string{"w-*", "w-1", "sim/w-1"} {
		ask("w-1")
		want("w-1", "hit")
		askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", `{"model":"`+model+`"}`, http.StatusNoContent)
		want("w-1", "miss")
	}
	askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", `{}`, http.StatusBadRequest)
}
