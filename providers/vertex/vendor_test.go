package vertex

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

func TestEndpoint(t *testing.T) {
	for location, want := range map[string]string{
		"global": "https://aiplatform.googleapis.com/v1", "us": "https://aiplatform.us.rep.googleapis.com/v1",
		"eu": "https://aiplatform.eu.rep.googleapis.com/v1", "us-east5": "https://us-east5-aiplatform.googleapis.com/v1",
	} {
		if got := endpoint(location); got != want {
			t.Errorf("%s: %s, want %s", location, got, want)
		}
	}
}

func TestPath(t *testing.T) {
	const project = "/projects/p/locations/us-east5"
	v, express := vendor("p", "us-east5"), vendor("", "global")
	for _, c := range []struct {
		op     *wire.Operation
		model  string
		stream bool
		want   string
	}{
		{wire.GeminiGenerate, "gemini-2.5-pro", false, "/publishers/google/models/gemini-2.5-pro:generateContent"},
		{wire.GeminiGenerate, "gemini-2.5-pro", true, "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
		{wire.GeminiGenerate, "google/gemini-2.5-pro", false, "/publishers/google/models/gemini-2.5-pro:generateContent"},
		{wire.GeminiGenerate, "models/gemini-2.5-pro", false, "/publishers/google/models/gemini-2.5-pro:generateContent"},
		{wire.GeminiGenerate, "publishers/meta/models/llama-4", false, "/publishers/meta/models/llama-4:generateContent"},
		{wire.GeminiGenerate, "endpoints/123", true, "/endpoints/123:streamGenerateContent?alt=sse"},
		{wire.GeminiGenerate, "a/b/c?x", false, "/publishers/google/models/a%2Fb%2Fc%3Fx:generateContent"},
		{wire.GeminiEmbed, "gemini-embedding-2", false, "/publishers/google/models/gemini-embedding-2:embedContent"},
		{wire.Messages, "claude-3-7-sonnet@20250219", false, "/publishers/anthropic/models/claude-3-7-sonnet@20250219:rawPredict"},
		{wire.Messages, "claude-3-7-sonnet@20250219", true, "/publishers/anthropic/models/claude-3-7-sonnet@20250219:streamRawPredict"},
		{wire.Messages, "anthropic/claude-x", true, "/publishers/anthropic/models/claude-x:streamRawPredict"},
		{wire.CountTokens, "claude-x", false, "/publishers/anthropic/models/count-tokens:rawPredict"},
	} {
		call := &gateway.Call{Operation: c.op, Model: c.model, Stream: c.stream}
		if got := v.Path(call); got != project+c.want {
			t.Errorf("%s of %s: %s, want %s", c.op.Name, c.model, got, project+c.want)
		}
		if got := express.Path(call); got != c.want {
			t.Errorf("%s of %s in express mode: %s, want %s", c.op.Name, c.model, got, c.want)
		}
	}
}

// TestSelects holds that each model has the dialect of its vendor only.
func TestSelects(t *testing.T) {
	for _, c := range []struct {
		op    *wire.Operation
		model string
		want  bool
	}{
		{wire.Messages, "claude-x", true},
		{wire.CountTokens, "publishers/anthropic/models/claude-x", true},
		{wire.GeminiGenerate, "claude-x", false},
		{wire.GeminiGenerate, "gemini-x", true},
		{wire.GeminiEmbed, "gemini-x", true},
		{wire.Messages, "gemini-x", false},
		{wire.GeminiGenerate, "endpoints/1", true},
	} {
		if got := selects(c.op, c.model); got != c.want {
			t.Errorf("%s of %s: %v", c.op.Name, c.model, got)
		}
	}
}

// TestEdit holds that a Claude request keeps its bytes but for the two members
// that Vertex AI wants otherwise.
func TestEdit(t *testing.T) {
	for _, c := range []struct {
		name     string
		op       *wire.Operation
		in, want string
	}{
		{
			"in the middle", wire.Messages, `{"max_tokens":1, "model" : "claude-x" ,"messages":[{"x":1.0e2}],"new":null}`,
			`{"max_tokens":1 ,"messages":[{"x":1.0e2}],"new":null,"anthropic_version":"vertex-2023-10-16"}`,
		},
		{"first", wire.Messages, `{"model":"claude-x","stream":true}`, `{"stream":true,"anthropic_version":"vertex-2023-10-16"}`},
		{"alone", wire.Messages, `{"model":"claude-x"}`, `{"anthropic_version":"vertex-2023-10-16"}`},
		{"absent", wire.Messages, `{"stream":true}`, `{"stream":true,"anthropic_version":"vertex-2023-10-16"}`},
		{"other version", wire.Messages, `{"anthropic_version":"bedrock-2023-05-31","model":"m"}`, `{"anthropic_version":"vertex-2023-10-16"}`},
		{"nested model stays", wire.Messages, `{"a":{"model":"x"},"model":"m"}`, `{"a":{"model":"x"},"anthropic_version":"vertex-2023-10-16"}`},
		{"counting", wire.CountTokens, `{"model":"claude-x","messages":[]}`, `{"model":"claude-x","messages":[],"anthropic_version":"vertex-2023-10-16"}`},
		{"Gemini", wire.GeminiGenerate, `{"model":"m"}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := edit(&gateway.Call{Operation: c.op}, []byte(c.in))
			if err != nil || strings.Join(strings.Fields(string(got)), "") != strings.Join(strings.Fields(c.want), "") {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
	for _, body := range []string{`[]`, `{`, `{"model":1,"Model":2}`} {
		if _, err := edit(&gateway.Call{Operation: wire.Messages}, []byte(body)); err == nil || gateway.AsError(err).Kind != wire.KindInvalid {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAuthorizeKey(t *testing.T) {
	for key, want := range map[string]string{"AIzaSyX": "", "AQ.Ab8": "", "ya29.x": "Bearer ya29.x", "other": "Bearer other"} {
		h := make(http.Header)
		authorizeKey(h, secret.New(key))
		if h.Get("Authorization") != want || (want == "") != (h.Get("X-Goog-Api-Key") == key) {
			t.Errorf("%s: %v", key, h)
		}
	}
}

// TestRefusedTokenIsReplaced holds that a token which is revoked before its
// time does not fail calls until it expires.
func TestRefusedTokenIsReplaced(t *testing.T) {
	now, fetches := time.Unix(1_800_000_000, 0), 0
	tokens := upstream.NewTokens(func(context.Context) (secret.Secret, time.Time, error) {
		fetches++
		return secret.New("t"), now.Add(time.Hour), nil
	}, func() time.Time { return now })
	get := func() {
		t.Helper()
		if _, err := tokens.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	get()
	now = now.Add(2 * time.Minute)
	dropRefused(tokens)(nil, &http.Response{StatusCode: http.StatusTooManyRequests})
	get()
	dropRefused(tokens)(nil, &http.Response{StatusCode: http.StatusUnauthorized})
	get()
	if fetches != 2 {
		t.Errorf("%d fetches", fetches)
	}
}
