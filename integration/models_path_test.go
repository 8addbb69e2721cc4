package integration

import (
	"fmt"
	"io"
	"net/http"
	"testing"
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
