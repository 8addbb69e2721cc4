package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestModelsAreNoWayOut asks for a model by names that lead to what the account
// can do besides: lists of all tenants' files, jobs and answers.
func TestModelsAreNoWayOut(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY}\nprovider gemini {\nbase_url http://127.0.0.1:1/v1beta\napi_key {env.UPSTREAM_KEY}\n}", "ai_gateway", hello)
	for _, prefix := range []string{"/v1/models/openai/", "/v1/models/gpt-4o/../", "/v1/models/gpt-4o/", "/v1beta/models/openai/", "/v1beta/models/gemini/", "/v1beta/models/gemini-2.5-flash/", "/v1beta/models/gemini/models/"} {
		for _, name := range []string{
			"../files", "..%2ffiles", "%2e%2e/files", "./../files", "a/../../files", "..", "..%5cfiles", "a%5c..%5c..%5cfiles", "..;/files", "..;a=b/files",
			"x%0d%0aX-Injected:%201", "x%00", "x%7f",
		} {
			c := dial(t, g.Addr)
			fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer a-secret-of-ci-0001\r\n\r\n", prefix+name)
			res, err := http.ReadResponse(c.br, nil)
			if err != nil {
				t.Fatalf("%s%s: %v", prefix, name, err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode >= 500 { // 502: the one who does not listen was called
				t.Errorf("%s%s: %d %s %v", prefix, name, res.StatusCode, body, err)
			}
		}
	}
	for _, r := range up.Requests() {
		t.Errorf("the upstream was asked for %q", r.Path)
	}
}

// get asks for url.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestModelsOfSilentUpstream waits for a vendor's list of models no longer than for
// any other answer's headers.
func TestModelsOfSilentUpstream(t *testing.T) {
	for name, answer := range map[string]answerer{
		"no headers": func(_ http.ResponseWriter, r *weirtest.Request) { <-r.Gone },
		"no body": func(w http.ResponseWriter, r *weirtest.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"object":"list","data":[`)
			weirtest.Flush(w)
			<-r.Gone
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
			up := weirtest.NewUpstream(t, answer)
			g := weirtest.Start(t, fmt.Sprintf("provider up openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}", up.URL), "ai_gateway {\nresponse_header_timeout 200ms\n}")
			for _, path := range []string{"/v1/models", "/v1/models/gpt-4o"} {
				status, body := get(t, g.URL+path)
				if status != 504 || !strings.Contains(body, "response-header timeout") {
					t.Errorf("%s: %d %s", path, status, body)
				}
			}
		})
	}
}

// TestModelsPacked passes on a list of models that its vendor has packed without
// having been asked to.
func TestModelsPacked(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	const list = `{"object":"list","data":[{"id":"gpt-4o","object":"model"}]}`
	up := weirtest.NewUpstream(t, packed("application/json", []byte(list)))
	provider := fmt.Sprintf("provider up openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}", up.URL)
	g := weirtest.Start(t, provider, "ai_gateway")
	if status, body := get(t, g.URL+"/v1/models"); status != 200 || body != list {
		t.Errorf("%d %q", status, body)
	}
	if err := g.Load("", provider+"\nmodel m up/gpt-4o", "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, g.URL+"/v1/models"); status != 200 || !strings.Contains(body, `"gpt-4o"`) {
		t.Errorf("%d %s", status, body)
	}
}
