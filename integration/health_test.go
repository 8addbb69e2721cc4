package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/inflight"
)

// health is what a health check answers.
type health struct {
	Status  string            `json:"status"`
	Reasons []string          `json:"reasons"`
	Targets map[string]string `json:"targets"`
}

func check(t *testing.T, client *http.Client, url string) (int, health) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var h health
	if err := json.NewDecoder(res.Body).Decode(&h); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control %q", url, got)
	}
	return res.StatusCode, h
}

func TestHealthPaths(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/default", "route {\n\tai_health\n\trespond \"next\" 418\n}")
	client := newClient(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/health/live", 200},
		{"HEAD", "/health/live", 200},
		{"GET", "/healthz", 200},
		{"GET", "/health/ready", 200},
		{"GET", "/readyz", 200},
		{"GET", "/team/a/health/ready", 200},
		{"GET", "/health/deep", 404},
		{"POST", "/health/live", 418},
		{"GET", "/health", 418},
		{"GET", "/health/lively", 418},
		{"GET", "/", 418},
	} {
		req, err := http.NewRequest(c.method, g.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, res.StatusCode, c.status)
		}
	}
}

func TestReadyWhenProvidersResolve(t *testing.T) {
	ai := "provider sim simulator\nprovider far openai_compatible {\n base_url http://nobody.invalid/v1\n}\nmodel near sim/default\nmodel distant far/m"
	g := weirtest.Start(t, ai, "ai_health /all/*\nai_health /any/* {\n require any\n}\nai_gateway")
	client := newClient(t)
	status, got := check(t, client, g.URL+"/all/health/ready")
	want := health{Status: "unavailable", Reasons: []string{"provider far: its address does not resolve", "model distant: no healthy target"}}
	if diff := cmp.Diff(want, got); status != 503 || diff != "" {
		t.Errorf("all: status %d (-want +got)\n%s", status, diff)
	}
	if status, got := check(t, client, g.URL+"/any/health/ready"); status != 200 {
		t.Errorf("any: %d %+v", status, got)
	}
}

func TestReadyFollowsFailures(t *testing.T) {
	var mu sync.Mutex
	status := http.StatusInternalServerError
	set := func(s int) { mu.Lock(); status = s; mu.Unlock() }
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, _ *weirtest.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"message":"no","type":"server_error"}}`)
	})
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat up/m", up.URL)
	g := weirtest.Start(t, ai, "ai_health\nai_gateway")
	client := newClient(t)
	call := func() {
		res, err := client.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"chat","messages":[{"role":"user"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	ready := func(want int, when string) {
		t.Helper()
		if got, h := check(t, client, g.URL+"/health/ready"); got != want {
			t.Errorf("%s: ready is %d %+v, want %d", when, got, h, want)
		}
	}
	call()
	call()
	ready(200, "after two failures")
	call()
	ready(503, "after three failures")
	// A reload does not forget.
	if err := g.Load("", ai, "ai_health\nai_gateway {\n heartbeat 3s\n}"); err != nil {
		t.Fatal(err)
	}
	ready(503, "after a reload")
	// The only target is called all the same; a client's own mistake is no
	// failure of the upstream.
	set(http.StatusBadRequest)
	call()
	ready(200, "after an answer")
	if got := len(up.Requests()); got != 4 {
		t.Errorf("%d calls, want 4", got)
	}
}

func TestReadyEndsWithTheProcess(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/default", "ai_health")
	client := newClient(t)
	inflight.Process.SetExiting(true)
	defer inflight.Process.SetExiting(false)
	status, got := check(t, client, g.URL+"/health/ready")
	if status != 503 || len(got.Reasons) != 1 || got.Reasons[0] != "the process is shutting down" {
		t.Errorf("ready: %d %+v", status, got)
	}
	if status, _ := check(t, client, g.URL+"/health/live"); status != 200 {
		t.Errorf("live: %d", status)
	}
}

// TestDeepIsAskedOnce holds that a deep check, which costs money, is made once
// a minute however many ask, on however many sites.
func TestDeepIsAskedOnce(t *testing.T) {
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(string(r.Body), `"model":"bad"`) {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(w, `{"choices":[]}`)
	})
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel one up/good\nmodel two up/bad up/good\nmodel any-* up/*", up.URL)
	site := "ai_health /a/* {\n deep\n}\nai_health /b/* {\n deep on\n}"
	g := weirtest.Start(t, ai, site)
	client := newClient(t)
	want := health{Status: "unavailable", Targets: map[string]string{"up/good": "ok", "up/bad": "status 403"}}
	ask := func() {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				status, got := check(t, client, g.URL+[]string{"/a", "/b"}[i%2]+"/health/deep")
				if diff := cmp.Diff(want, got); status != 503 || diff != "" {
					t.Errorf("status %d (-want +got)\n%s", status, diff)
				}
			})
		}
		wg.Wait()
	}
	ask()
	if err := g.Load("", ai, site+"\nrespond /x 200"); err != nil {
		t.Fatal(err)
	}
	ask()
	requests := up.Requests()
	if len(requests) != 2 {
		t.Errorf("%d inferences, want one for each of two targets", len(requests))
	}
	for _, r := range requests {
		if !strings.Contains(string(r.Body), `"max_tokens":1`) {
			t.Errorf("the check asks for more than one token: %s", r.Body)
		}
	}
	if n := len(g.Records.All()); n != 0 {
		t.Errorf("%d usage records of checks", n)
	}
}

// TestDeepSpeaksTheProvidersDialect holds that a provider is asked in words
// that it has, at the path of its model.
func TestDeepSpeaksTheProvidersDialect(t *testing.T) {
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{}`)
	})
	t.Setenv("UPSTREAM_KEY", "sk-test")
	for _, tt := range []struct{ provider, path, body string }{
		{"openai", "/v1/chat/completions", `"max_completion_tokens":1`},
		{"openai_compatible", "/v1/chat/completions", `"max_tokens":1`},
		{"anthropic", "/v1/messages", `"max_tokens":1`},
		{"gemini", "/v1beta/models/m:generateContent", `"maxOutputTokens":1`},
		{"cohere", "/v2/chat", `"max_tokens":1`},
	} {
		t.Run(tt.provider, func(t *testing.T) {
			base := up.URL
			if strings.HasPrefix(tt.path, "/v1/chat") {
				base += "/v1"
			}
			name := "deep-" + tt.provider
			g := weirtest.Start(t, fmt.Sprintf("provider %s %s {\n base_url %s\n api_key {env.UPSTREAM_KEY}\n}\nmodel m %[1]s/m", name, tt.provider, base), "ai_health {\n deep\n}")
			if status, got := check(t, newClient(t), g.URL+"/health/deep"); status != 200 || got.Targets[name+"/m"] != "ok" {
				t.Errorf("status %d %+v", status, got)
			}
			all := up.Requests()
			r := all[len(all)-1]
			if r.Path != tt.path || !strings.Contains(string(r.Body), tt.body) {
				t.Errorf("%s %s", r.Path, r.Body)
			}
		})
	}
}
