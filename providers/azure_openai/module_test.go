package azureopenai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// unmarshal reads a provider's block.
func unmarshal(block string) (*Provider, error) {
	p := new(Provider)
	return p, p.UnmarshalCaddyfile(caddyfile.NewTestDispenser("azure_openai {\n" + block + "\n}"))
}

// provision reads a block and provisions the provider.
func provision(t *testing.T, block string) (*Provider, error) {
	t.Helper()
	p, err := unmarshal(block)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return p, p.Provision(ctx)
}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		op       *wire.Operation
		v1, old  string
		oldModel string
	}{
		{wire.Chat, "/openai/v1/chat/completions", "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", "gpt-4.1"},
		{wire.Completions, "/openai/v1/completions", "/openai/deployments/a%2Fb%3Fc/completions?api-version=2024-10-21", "a/b?c"},
		{wire.Embeddings, "/openai/v1/embeddings", "/openai/deployments/e/embeddings?api-version=2024-10-21", "e"},
		{wire.ImageGeneration, "/openai/v1/images/generations", "/openai/deployments/i/images/generations?api-version=2024-10-21", "i"},
		{wire.Transcription, "/openai/v1/audio/transcriptions", "/openai/deployments/w/audio/transcriptions?api-version=2024-10-21", "w"},
		{wire.Responses, "/openai/v1/responses", "/openai/responses?api-version=2024-10-21", "gpt-4.1"},
	} {
		call := &gateway.Call{Operation: c.op, Path: c.op.Path, Model: c.oldModel}
		if got := pathV1(call); got != c.v1 {
			t.Errorf("%s: %s, want %s", c.op.Name, got, c.v1)
		}
		if got := pathDeployment(call, "2024-10-21"); got != c.old {
			t.Errorf("%s: %s, want %s", c.op.Name, got, c.old)
		}
	}
	if got := pathDeployment(&gateway.Call{Operation: wire.Chat, Path: "/c", Model: "m"}, "a&b=c"); got != "/openai/deployments/m/c?api-version=a%26b%3Dc" {
		t.Error(got)
	}
}

// TestTraits holds that old versions are not asked for what they do not know.
func TestTraits(t *testing.T) {
	for version, want := range map[string]gateway.Traits{
		"":                   {CapParam: "max_completion_tokens"},
		"2024-10-21":         {CapParam: "max_completion_tokens"},
		"2024-09-01-preview": {CapParam: "max_completion_tokens"},
		"preview":            {CapParam: "max_completion_tokens"},
		"2024-06-01":         {CapParam: "max_tokens", OneCap: true, NoStreamOptions: true},
	} {
		want.MaxInputs = 2048
		if diff := cmp.Diff(want, vendor(version).Traits); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", version, diff)
		}
	}
}

func TestCall(t *testing.T) {
	var seen *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r }))
	defer server.Close()
	t.Setenv("AZURE_OPENAI_API_KEY", "azure-key")
	t.Setenv("AZURE_OPENAI_ENDPOINT", server.URL)
	t.Setenv("VERSION", "2024-10-21")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("entra-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v1, old := "/openai/v1/chat/completions", "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
	for _, c := range []struct{ name, block, uri, key, bearer string }{
		{"from the environment", "", v1, "azure-key", ""},
		{"resource", "base_url " + server.URL, v1, "azure-key", ""},
		{"with openai", "base_url " + server.URL + "/openai/", v1, "azure-key", ""},
		{"with v1", "base_url " + server.URL + "/openai/v1", v1, "azure-key", ""},
		{"version", "base_url " + server.URL + "/openai/v1\napi_version {env.VERSION}", old, "azure-key", ""},
		{"token", "token {file." + token + "}", v1, "", "Bearer entra-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := provision(t, c.block)
			if err != nil {
				t.Fatal(err)
			}
			res, err := p.Do(t.Context(), &gateway.Call{
				Operation: wire.Chat, Path: wire.Chat.Path, Model: "gpt", Method: http.MethodPost,
				Header:      http.Header{"Api-Key": {"theirs"}, "Authorization": {"Bearer theirs"}},
				ContentType: "application/json", Body: strings.NewReader("{}"), Length: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			h := seen.Header
			if seen.RequestURI != c.uri || h.Get("Api-Key") != c.key || h.Get("Authorization") != c.bearer {
				t.Errorf("%s, %v", seen.RequestURI, h)
			}
			used := c.key + strings.TrimPrefix(c.bearer, "Bearer ")
			if text := string(p.Redact([]byte("bad key " + used))); text != "bad key ***" {
				t.Errorf("not hidden: %s", text)
			}
			if text := fmt.Sprintf("%+v", p.Config) + p.Token; strings.Contains(text, "azure-key") || strings.Contains(text, "entra-1") {
				t.Errorf("the configuration shows %s", text)
			}
		})
	}
}

// TestTokenIsReadAgain holds that a file which something keeps fresh is.
func TestTokenIsReadAgain(t *testing.T) {
	t.Setenv("ENTRA", "first")
	now := time.Unix(1_800_000_000, 0)
	source := reread("{env.ENTRA}", func() time.Time { return now })
	token, expiry, err := source(t.Context())
	if err != nil || token != secret.New("first") || expiry.Sub(now) != 2*tokenLife {
		t.Errorf("%v until %s, %v", token, expiry, err)
	}
	t.Setenv("ENTRA", "second")
	if token, _, err := source(t.Context()); err != nil || token != secret.New("second") {
		t.Error("the token is not read again")
	}
}

func TestRefused(t *testing.T) {
	t.Setenv("AZURE_OPENAI_API_KEY", "k")
	t.Setenv("AZURE_OPENAI_ENDPOINT", "")
	for block, want := range map[string]string{
		"": "base_url is required",
		"base_url https://x.openai.azure.com\napi_key {env.AZURE_OPENAI_API_KEY}\ntoken {env.AZURE_OPENAI_API_KEY}": "api_key and token exclude each other",
		"base_url https://x.openai.azure.com\ntoken {env.WEIR_UNSET}":                                               "token: resolving {env.WEIR_UNSET}",
		"base_url https://x.openai.azure.com\napi_version {env.WEIR_UNSET}":                                         "resolving api_version",
	} {
		if _, err := provision(t, block); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", block, err, want)
		}
	}
	for block, want := range map[string]string{
		"api_versio 2024-10-21":                  "did you mean 'api_version'?",
		"api_version 1\napi_version 2":           "api_version is given twice",
		"api_version":                            "wrong argument count",
		"api_version 1 2":                        "wrong argument count",
		"token sk-literal":                       "token " + secret.ErrLiteral.Error(),
		"base_url https://x\nbase_url https://y": "base_url is given twice",
		"api_key {env.A}\napi_key {env.A}":       "api_key {env.A} is given twice",
		"deployment x":                           "unrecognized provider option 'deployment'",
	} {
		_, err := unmarshal(block)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sk-literal") {
			t.Errorf("%q: %v, want %s", block, err, want)
		}
	}
	if _, err := provision(t, "base_url https://x.openai.azure.com"); err != nil {
		t.Error(errors.Unwrap(err))
	}
}
