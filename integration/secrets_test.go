package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(new(crashing))
}

// canary is a provider key that must never be seen anywhere but upstream.
const canary = "sk-canary-7f3a9c51e2b84d06"

// crashing is a provider whose calls panic with a secret.
type crashing struct{}

func (*crashing) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.providers.crashing", New: func() caddy.Module { return new(crashing) }}
}

func (*crashing) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }
func (*crashing) Speaks(*wire.Operation) bool                     { return true }
func (*crashing) Traits() gateway.Traits                          { return gateway.Traits{} }

func (*crashing) Do(_ context.Context, call *gateway.Call) (*http.Response, error) {
	if call.Stream {
		return &http.Response{
			StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {"text/event-stream"}},
			Body: io.NopCloser(io.MultiReader(strings.NewReader("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n"), crash{})),
		}, nil
	}
	panic("the key " + os.Getenv("CANARY_KEY") + " is wrong")
}

// crash is a body whose reading panics.
type crash struct{}

func (crash) Read([]byte) (int, error) { panic("reading with " + os.Getenv("CANARY_KEY")) }

// internals are what no client may see of the inside.
var internals = []string{
	canary, "127.0.0.1", "localhost", "dial tcp", "connection refused", "net.Op", "url.Error", "goroutine", "runtime error",
	"panic", ".go:", "x509", "/etc/", "first record does not look", "gateway.", "upstream.Client", "nobody.invalid", "lookup",
}

// failures are what an upstream may do with the key that it gets.
var failures = []struct {
	name   string
	model  string
	stream bool
	answer func(w http.ResponseWriter, key string)
}{
	{"success", "up", false, func(w http.ResponseWriter, key string) {
		w.Header().Set("Authorization", key)
		w.Header().Set("X-Api-Key", key)
		w.Header().Set("Set-Cookie", "key="+key)
		answerJSON(w, 200, `{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
	}},
	{"401 in JSON", "up", false, quoting(401, "application/json", `{"error":{"message":"Incorrect API key provided: KEY.","type":"invalid_request_error"}}`)},
	{"401 in JSON, streamed", "up", true, quoting(401, "application/json", `{"error":{"message":"Incorrect API key provided: KEY.","type":"invalid_request_error"}}`)},
	{"401 in text", "up", false, quoting(401, "text/plain", `bad key KEY`)},
	{"500 in HTML", "up", false, quoting(500, "text/html", `<html>Authorization: Bearer KEY</html>`)},
	{"200 with an error", "up", false, quoting(200, "application/json", `{"error":{"message":"Incorrect API key provided: KEY.","type":"invalid_request_error"}}`)},
	{"200 with an error, streamed", "up", true, quoting(200, "application/json", `{"error":{"message":"Incorrect API key provided: KEY.","type":"invalid_request_error"}}`)},
	{"error event first", "up", true, quoting(200, "text/event-stream", "data: {\"error\":{\"message\":\"bad key KEY\",\"type\":\"server_error\"}}\n\n")},
	{"error event later", "up", true, quoting(200, "text/event-stream", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\ndata: {\"error\":{\"message\":\"bad key KEY\",\"type\":\"server_error\"}}\n\n")},
	{"garbage event", "up", true, quoting(200, "text/event-stream", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\ndata: {KEY\n\n")},
	{"garbage JSON", "up", false, quoting(200, "application/json", `{"KEY`)},
	{"unknown encoding", "up", false, func(w http.ResponseWriter, key string) {
		w.Header().Set("Content-Encoding", "zstd-"+key)
		answerJSON(w, 200, `{}`)
	}},
	{"redirect", "up", false, func(w http.ResponseWriter, key string) {
		w.Header().Set("Location", "http://127.0.0.1:1/?key="+key)
		w.WriteHeader(302)
	}},
	{"request id", "up", false, func(w http.ResponseWriter, key string) {
		w.Header().Set("X-Request-Id", "req-"+key)
		answerJSON(w, 200, `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
	}},
	{"reset", "up", false, func(w http.ResponseWriter, _ string) { weirtest.Reset(w) }},
	{"nobody listens", "refused", false, nil},
	{"no TLS", "tls", false, nil},
	{"no such host", "nowhere", false, nil},
	{"panic", "faulty", false, nil},
	{"panic, streamed", "faulty", true, nil},
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func quoting(status int, contentType, body string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, key string) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "KEY", key))
	}
}

func TestSecretsStayInside(t *testing.T) {
	t.Setenv("CANARY_KEY", canary)
	var mu sync.Mutex
	var answer func(http.ResponseWriter, string)
	keys := 0
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		mu.Lock()
		if key == canary {
			keys++
		}
		answer := answer
		mu.Unlock()
		answer(w, key)
	})
	dir := t.TempDir()
	autosave := caddy.ConfigAutosavePath
	caddy.ConfigAutosavePath = filepath.Join(dir, "autosave.json")
	defer func() { caddy.ConfigAutosavePath = autosave }()

	provider := func(name, url string) string {
		return fmt.Sprintf("provider %s openai {\n base_url %s\n api_key {env.CANARY_KEY}\n header X-Team {env.CANARY_KEY}\n}\n", name, url)
	}
	ai := provider("up", up.URL) + provider("refused", "http://"+weirtest.FreeAddr(t)) +
		provider("tls", strings.Replace(up.URL, "http:", "https:", 1)) + provider("nowhere", "http://nobody.invalid") +
		"provider faulty crashing\nusage log"
	file, admin := filepath.Join(dir, "log"), weirtest.FreeAddr(t)
	site := "log\n\tai_health {\n\t\tdeep\n\t}\n\tai_gateway"
	g := weirtest.Start(t, "provider sim simulator", site)
	config := strings.Replace(administered(g.Caddyfile(logTo(file), ai, site), admin), "persist_config off", "", 1)
	if err := loadConfig(t, config); err != nil {
		t.Fatal(err)
	}

	client := newClient(t)
	for i, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			mu.Lock()
			answer = f.answer
			mu.Unlock()
			body := fmt.Sprintf(`{"model":"%s/m","stream":%v,"messages":[{"role":"user","content":"hi"}]}`, f.model, f.stream)
			req, err := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			seen := ""
			if err == nil {
				data, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				seen = fmt.Sprintf("%v\n%s", res.Header, data)
			}
			for _, text := range internals {
				if strings.Contains(seen, text) {
					t.Errorf("the client sees %q in %s", text, seen)
				}
			}
			record := g.Records.Wait(t, i+1)[i]
			if text := fmt.Sprintf("%+v", record); strings.Contains(text, canary) {
				t.Errorf("the record has the key: %s", text)
			}
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if keys == 0 {
		t.Error("the key never reached the upstream: the test tests nothing")
	}
	for name, url := range map[string]string{"metrics": "/metrics", "configuration": "/config/"} {
		res, err := client.Get("http://" + admin + url)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if strings.Contains(string(data), canary) || len(data) == 0 {
			t.Errorf("the %s has the key, or nothing", name)
		}
	}
	for _, path := range []string{file, caddy.ConfigAutosavePath} {
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			t.Fatalf("%s: %d bytes, %v", path, len(data), err)
		}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, canary) {
				t.Errorf("%s has the key: %s", filepath.Base(path), line)
			}
		}
	}
}

// TestPanic holds that a panic costs one request, whose client is told, and
// nothing else.
func TestPanic(t *testing.T) {
	g := weirtest.Start(t, "provider faulty crashing\nprovider sim simulator", "ai_gateway")
	client := newClient(t)
	res, body := post(t, client, g.URL+"/v1/chat/completions", asks("faulty/m"))
	if res.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"code":"internal_error"`) {
		t.Errorf("status %d, body %s", res.StatusCode, body)
	}
	res, err := client.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"faulty/m","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err == nil || !strings.Contains(string(data), "hello") || !strings.Contains(string(data), `data: {"error":`) || strings.Contains(string(data), "[DONE]") {
		t.Errorf("the stream ended with %v after %s", err, data)
	}
	if res, body := post(t, client, g.URL+"/v1/chat/completions", asks("sim/default")); res.StatusCode != http.StatusOK {
		t.Errorf("the next request: status %d, body %s", res.StatusCode, body)
	}
	records := g.Records.Wait(t, 3)
	for i, want := range []string{"internal", "internal", ""} {
		if records[i].Error != want || records[i].Usage.Input == 0 {
			t.Errorf("record %d: %+v", i, records[i])
		}
	}
}
