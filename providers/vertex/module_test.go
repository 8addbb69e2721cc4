package vertex

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

// fakeGoogle is Google as far as this provider sees it: a token endpoint that
// checks assertions, and an API that checks tokens.
type fakeGoogle struct {
	*httptest.Server
	key  *rsa.PrivateKey
	json string // the service account's key

	mu     sync.Mutex
	status int // of the token endpoint
	issued int
	seen   *http.Request
	body   string
}

func newGoogle(t *testing.T) *fakeGoogle {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	g := &fakeGoogle{key: key, status: http.StatusOK}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", g.token)
	mux.HandleFunc("/v1/", func(_ http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seen, g.body = r, string(data)
	})
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "account-project", "client_email": "weir@account-project.iam.gserviceaccount.com",
		"private_key_id": "key-1", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": g.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	g.json = string(account)
	return g
}

// token is RFC 7523: a JWT that the account's key has signed, for a token.
func (g *fakeGoogle) token(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if g.status != http.StatusOK {
		w.WriteHeader(g.status)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"`+r.PostFormValue("assertion")+`"}`)
		return
	}
	if err := g.check(r); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":%q}`, err)
		return
	}
	g.issued++
	_, _ = fmt.Fprintf(w, `{"access_token":"ya29.token-%d","expires_in":3599,"token_type":"Bearer"}`, g.issued)
}

func (g *fakeGoogle) check(r *http.Request) error {
	if grant := r.PostFormValue("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return fmt.Errorf("grant %s", grant)
	}
	parts := strings.Split(r.PostFormValue("assertion"), ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var c struct{ Iss, Scope, Aud string }
	if err := json.Unmarshal(claims, &c); err != nil {
		return err
	}
	if c.Iss != "weir@account-project.iam.gserviceaccount.com" || c.Scope != scope || c.Aud != g.URL+"/token" {
		return fmt.Errorf("claims %s", claims)
	}
	return nil
}

func (g *fakeGoogle) setStatus(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status = status
}

func bare(t *testing.T) {
	t.Helper()
	for _, name := range []string{"GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION", "GOOGLE_APPLICATION_CREDENTIALS"} {
		t.Setenv(name, "")
	}
}

func unmarshal(block string) (*Provider, error) {
	p := new(Provider)
	return p, p.UnmarshalCaddyfile(caddyfile.NewTestDispenser("vertex {\n" + block + "\n}"))
}

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

func call(op *wire.Operation, model, body string, stream bool) *gateway.Call {
	return &gateway.Call{
		Operation: op, Path: op.Path, Model: model, Method: http.MethodPost, Stream: stream,
		Header:      http.Header{"Authorization": {"Bearer theirs"}, "X-Goog-Api-Key": {"theirs"}, "Anthropic-Beta": {"b"}, "Anthropic-Version": {"2023-06-01"}},
		ContentType: "application/json", Body: strings.NewReader(body), Length: int64(len(body)),
	}
}

func do(t *testing.T, p *Provider, c *gateway.Call) error {
	t.Helper()
	res, err := p.Do(t.Context(), c)
	if res != nil {
		_ = res.Body.Close()
	}
	return err
}

// TestServiceAccount holds that a service account's key, wherever it is kept,
// becomes a token, and that one token serves many calls.
func TestServiceAccount(t *testing.T) {
	g := newGoogle(t)
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, []byte(g.json), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, block string
		env         map[string]string
		prefix      string
	}{
		{"file", "credentials {file." + file + "}", nil, "/v1/projects/account-project/locations/global"},
		{"JSON in a variable", "project mine\nlocation us-east5\ncredentials {env.KEY}", map[string]string{"KEY": g.json}, "/v1/projects/mine/locations/us-east5"},
		{"path in a variable", "credentials {env.KEY}", map[string]string{"KEY": file, "GOOGLE_CLOUD_LOCATION": "eu"}, "/v1/projects/account-project/locations/eu"},
		{"usual variables", "", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file, "GOOGLE_CLOUD_PROJECT": "env-project", "GOOGLE_CLOUD_REGION": "us-west1"}, "/v1/projects/env-project/locations/us-west1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bare(t)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			before := g.issued
			p, err := provision(t, c.block+"\nbase_url "+g.URL)
			if err != nil {
				t.Fatal(err)
			}
			if g.issued != before {
				t.Error("a token was fetched before a call needed it")
			}
			for range 3 {
				if err := do(t, p, call(wire.GeminiGenerate, "gemini-2.5-pro", `{"contents":[]}`, true)); err != nil {
					t.Fatal(err)
				}
			}
			token := fmt.Sprintf("ya29.token-%d", before+1)
			if got := g.seen.Header; got.Get("Authorization") != "Bearer "+token || got.Get("X-Goog-Api-Key") != "" {
				t.Errorf("header %v", got)
			}
			if g.issued != before+1 {
				t.Errorf("%d tokens for three calls", g.issued-before)
			}
			if want := c.prefix + "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"; g.seen.RequestURI != want || g.body != `{"contents":[]}` {
				t.Errorf("%s, want %s; body %s", g.seen.RequestURI, want, g.body)
			}
			if err := do(t, p, call(wire.Messages, "claude-x@1", `{"model":"claude-x@1","max_tokens":1}`, false)); err != nil {
				t.Fatal(err)
			}
			if want := c.prefix + "/publishers/anthropic/models/claude-x@1:rawPredict"; g.seen.RequestURI != want {
				t.Errorf("%s, want %s", g.seen.RequestURI, want)
			}
			if g.body != `{"max_tokens":1,"anthropic_version":"vertex-2023-10-16"}` || g.seen.ContentLength != int64(len(g.body)) {
				t.Errorf("body %s", g.body)
			}
			if got := g.seen.Header; got.Get("Anthropic-Beta") != "b" || got.Get("Anthropic-Version") != "" {
				t.Errorf("header %v", got)
			}
			if text := string(p.Redact([]byte("bad token " + token))); text != "bad token ***" {
				t.Errorf("not hidden: %s", text)
			}
			if text := fmt.Sprintf("%+v %s", p.Config, p.Credentials); strings.Contains(text, "PRIVATE KEY") {
				t.Errorf("the configuration shows %s", text)
			}
		})
	}
}

// TestTokenEndpointFails holds that the client learns nothing of why, and the
// log nothing secret.
func TestTokenEndpointFails(t *testing.T) {
	bare(t)
	g := newGoogle(t)
	g.setStatus(http.StatusBadRequest)
	t.Setenv("KEY", g.json)
	p, err := provision(t, "credentials {env.KEY}\nbase_url "+g.URL)
	if err != nil {
		t.Fatal(err)
	}
	err = do(t, p, call(wire.GeminiGenerate, "gemini-x", "{}", false))
	e := gateway.AsError(err)
	if e.Kind != wire.KindUpstream || strings.Contains(e.Message, "invalid_grant") || !strings.Contains(e.Error(), "status 400 invalid_grant") {
		t.Errorf("error %v", err)
	}
	// A signed assertion is as good as a token.
	if strings.Contains(e.Error(), "eyJ") || g.seen != nil {
		t.Errorf("error %v", err)
	}
}

func TestAPIKey(t *testing.T) {
	for _, c := range []struct{ name, block, value, uri, key, bearer string }{
		{"express mode", "", "AIzaKey", "/v1/publishers/google/models/gemini-x:generateContent", "AIzaKey", ""},
		{"project", "project p", "AQ.Key", "/v1/projects/p/locations/global/publishers/google/models/gemini-x:generateContent", "AQ.Key", ""},
		{"access token", "project p", "ya29.t", "/v1/projects/p/locations/global/publishers/google/models/gemini-x:generateContent", "", "Bearer ya29.t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bare(t)
			g := newGoogle(t)
			t.Setenv("KEY", c.value)
			p, err := provision(t, c.block+"\napi_key {env.KEY}\nbase_url "+g.URL+"/v1/")
			if err != nil {
				t.Fatal(err)
			}
			if err := do(t, p, call(wire.GeminiGenerate, "gemini-x", "{}", false)); err != nil {
				t.Fatal(err)
			}
			if h := g.seen.Header; g.seen.RequestURI != c.uri || h.Get("X-Goog-Api-Key") != c.key || h.Get("Authorization") != c.bearer {
				t.Errorf("%s, %v", g.seen.RequestURI, h)
			}
			if g.issued != 0 {
				t.Error("a token was fetched")
			}
		})
	}
}

func TestRefused(t *testing.T) {
	bare(t)
	t.Setenv("KEY", "k")
	t.Setenv("TEXT", `{"type":"service_account",hunter2`)
	t.Setenv("TYPE", `{"type":"executable","private_key":"hunter2"}`)
	t.Setenv("PATHS", "/nonexistent/hunter2")
	for block, want := range map[string]string{
		"":                                     "project is required",
		"project p\nlocation evil.example/x":   "is no name of a location",
		"project p\nlocation {env.WEIR_UNSET}": "resolving location",
		"project p\ncredentials {env.WEIR_UNSET}":             "credentials: resolving {env.WEIR_UNSET}",
		"project p\ncredentials {env.TEXT}":                   "credentials: the credential is not valid JSON",
		"project p\ncredentials {env.TYPE}":                   "credentials: the credential has no type that is known",
		"project p\ncredentials {env.PATHS}":                  "credentials: it is neither JSON nor the name of a file",
		"project p\ncredentials {env.KEY}\napi_key {env.KEY}": "api_key and credentials exclude each other",
		"project p\napi_key {env.WEIR_UNSET}":                 "api_key: resolving {env.WEIR_UNSET}",
	} {
		if _, err := provision(t, block); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %s", block, err, want)
		}
	}
	for block, want := range map[string]string{
		"porject p":                 "did you mean 'project'?",
		"location a\nlocation b":    "location is given twice",
		"credentials /run/key.json": "credentials " + secret.ErrLiteral.Error(),
		"project":                   "wrong argument count",
	} {
		if _, err := unmarshal(block); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", block, err, want)
		}
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/key.json")
	if _, err := provision(t, "project p"); err == nil || !strings.Contains(err.Error(), "GOOGLE_APPLICATION_CREDENTIALS") {
		t.Errorf("error %v", err)
	}
}
