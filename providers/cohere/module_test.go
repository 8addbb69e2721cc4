package cohere

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

func TestCall(t *testing.T) {
	t.Setenv("COHERE_API_KEY", "")
	t.Setenv("CO_API_KEY", "ours")
	var uri, key string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		uri, key = r.RequestURI, r.Header.Get("Authorization")
	}))
	defer server.Close()
	for _, base := range []string{server.URL, server.URL + "/v2", server.URL + "/v1/"} {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		defer cancel()
		p := new(Provider)
		if err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser("cohere {\n base_url " + base + "\n}")); err != nil {
			t.Fatal(err)
		}
		if err := p.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		for op, want := range map[*wire.Operation]string{wire.CohereChat: "/v2/chat", wire.CohereEmbed: "/v2/embed", wire.CohereRerank: "/v2/rerank"} {
			if !p.Speaks(op) {
				t.Errorf("does not speak %s", op.Name)
			}
			res, err := p.Do(t.Context(), &gateway.Call{
				Operation: op, Path: op.Path, Model: "command-a-03-2025", Method: http.MethodPost, Header: http.Header{"Authorization": {"Bearer theirs"}},
				ContentType: "application/json", Body: strings.NewReader("{}"), Length: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if uri != want || key != "Bearer ours" {
				t.Errorf("%s with %s, want %s", uri, key, want)
			}
		}
		if !p.Owns("command-r-plus") || !p.Owns("embed-v4.0") || !p.Owns("rerank-v3.5") || p.Owns("claude-x") {
			t.Error("own names")
		}
	}
}
