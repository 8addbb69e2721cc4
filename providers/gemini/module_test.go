package gemini

import (
	"context"
	"io"
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

func TestPath(t *testing.T) {
	for _, c := range []struct {
		op     *wire.Operation
		model  string
		stream bool
		want   string
	}{
		{wire.GeminiGenerate, "gemini-2.5-pro", false, "/models/gemini-2.5-pro:generateContent"},
		{wire.GeminiGenerate, "gemini-2.5-pro", true, "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
		{wire.GeminiGenerate, "models/gemini-2.5-pro", false, "/models/gemini-2.5-pro:generateContent"},
		{wire.GeminiGenerate, "tunedModels/mine-1", false, "/tunedModels/mine-1:generateContent"},
		{wire.GeminiGenerate, "files/x?key=1#a:b", false, "/models/files%2Fx%3Fkey%3D1%23a%3Ab:generateContent"},
		{wire.GeminiEmbed, "gemini-embedding-001", false, "/models/gemini-embedding-001:embedContent"},
		{wire.GeminiEmbed, "gemini-embedding-001", true, "/models/gemini-embedding-001:embedContent"},
		{wire.GeminiBatchEmbed, "text-embedding-004", false, "/models/text-embedding-004:batchEmbedContents"},
	} {
		if got := path(&gateway.Call{Operation: c.op, Model: c.model, Stream: c.stream, Path: "/not/used"}); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.op.Name, c.model, got, c.want)
		}
	}
	if got := path(&gateway.Call{Operation: wire.ListModels, Path: "/models/a b"}); got != "/models/a%20b" {
		t.Errorf("list: %s", got)
	}
}

// TestCall holds where the key goes, and that the client's stays outside.
func TestCall(t *testing.T) {
	for _, variable := range []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("GEMINI_API_KEY", "")
			t.Setenv("GOOGLE_API_KEY", "")
			t.Setenv(variable, "ours")
			var seen *http.Request
			var body string
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				data, _ := io.ReadAll(r.Body)
				seen, body = r, string(data)
			}))
			defer server.Close()
			ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
			defer cancel()
			p := new(Provider)
			if err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser("gemini {\n base_url " + server.URL + "\n}")); err != nil {
				t.Fatal(err)
			}
			if err := p.Provision(ctx); err != nil {
				t.Fatal(err)
			}
			res, err := p.Do(t.Context(), &gateway.Call{
				Operation: wire.GeminiGenerate, Model: "gemini-2.5-flash", Method: http.MethodPost, Stream: true,
				Header:      http.Header{"X-Goog-Api-Key": {"theirs"}, "X-Goog-Api-Client": {"sdk"}, "Authorization": {"Bearer theirs"}},
				ContentType: "application/json", Body: strings.NewReader("{}"), Length: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if got := seen.RequestURI; got != "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse" {
				t.Errorf("URL %s", got)
			}
			h := seen.Header
			if h.Get("X-Goog-Api-Key") != "ours" || h.Get("Authorization") != "" || h.Get("X-Goog-Api-Client") != "" || body != "{}" {
				t.Errorf("header %v, body %s", h, body)
			}
		})
	}
}

// TestAccounts holds that each account's key goes into Gemini's own header.
func TestAccounts(t *testing.T) {
	var seen string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("X-Goog-Api-Key") }))
	defer server.Close()
	t.Setenv("GEMINI_A", "a")
	t.Setenv("GEMINI_B", "b")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	p := new(Provider)
	if err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser("gemini {\n base_url " + server.URL + "\n api_key {env.GEMINI_A} {env.GEMINI_B}\n}")); err != nil {
		t.Fatal(err)
	}
	if err := p.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Accounts()); n != 2 {
		t.Fatalf("%d accounts", n)
	}
	for i, want := range []string{"a", "b"} {
		res, err := p.Do(t.Context(), &gateway.Call{Operation: wire.GeminiGenerate, Model: "gemini-2.5-flash", Method: http.MethodPost, Account: i})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if seen != want {
			t.Errorf("account %d: key %q", i, seen)
		}
	}
}

func TestOwns(t *testing.T) {
	p := &Provider{}
	t.Setenv("GEMINI_API_KEY", "k")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := p.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]bool{
		"gemini-3-pro": true, "gemma-3-27b-it": true, "gemini-embedding-001": true, "text-embedding-004": true,
		"text-embedding-3-small": false, "gpt-4.1": false,
	} {
		if p.Owns(model) != want {
			t.Errorf("%s: %v", model, !want)
		}
	}
	for _, op := range []*wire.Operation{wire.Chat, wire.Messages, wire.GeminiCount} {
		if p.Speaks(op) {
			t.Errorf("speaks %s", op.Name)
		}
	}
}
