package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestCountsOfWeir asks for counts that no upstream is asked for.
func TestCountsOfWeir(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, _ *weirtest.Request) { w.WriteHeader(http.StatusTeapot) })
	g := weirtest.Start(t, "provider openai {\nbase_url "+up.URL+"\napi_key {env.UPSTREAM_KEY}\n}\nmodel chat openai/gpt-4o", "ai_gateway")
	for _, tt := range []struct {
		name, path, body string
		status           int
		want             string
		estimated        bool
	}{
		{"text", "/v1/tokenize", `{"model":"chat","input":"hello world"}`, 200, `{"model":"chat","encoding":"o200k_base","count":2,"estimated":false}`, false},
		{"ids and pieces", "/v1/tokenize", `{"model":"gpt-4","input":"tiktoken is great!","ids":true,"pieces":true}`, 200, `{"model":"gpt-4","encoding":"cl100k_base","count":6,"estimated":false,"ids":[83,1609,5963,374,2294,0],"pieces":["t","ik","token"," is"," great","!"]}`, false},
		{"ids of a long text", "/v1/tokenize", `{"model":"gpt-4","ids":true,"input":"` + strings.Repeat("a", 1<<20+1) + `"}`, 400, ``, false},
		{"pieces of a long text", "/v1/tokenize", `{"model":"gpt-4","pieces":true,"input":"` + strings.Repeat("a", 1<<20+1) + `"}`, 400, ``, false},
		{"a long text", "/v1/tokenize", `{"model":"gpt-4","input":"` + strings.Repeat("a", 1<<20+1) + `"}`, 200, `{"model":"gpt-4","encoding":"cl100k_base","count":131073,"estimated":false}`, false},
		{"messages", "/v1/tokenize", `{"model":"gpt-4o","messages":[{"role":"user","content":"hello world"}]}`, 200, `{"model":"gpt-4o","encoding":"o200k_base","count":9,"estimated":false}`, false},
		{"unknown model", "/v1/tokenize", `{"model":"nobody-knows","input":"hello world"}`, 200, ``, false},
		{"neither", "/v1/tokenize", `{"model":"gpt-4o"}`, 400, ``, false},
		{"ids of a private vocabulary", "/v1/tokenize", `{"model":"claude-x","input":"a","ids":true}`, 400, ``, false},
		{"anthropic on an openai upstream", "/v1/messages/count_tokens", `{"model":"chat","messages":[{"role":"user","content":"hello world"}]}`, 200, `{"input_tokens":9}`, false},
		{"gemini", "/v1beta/models/gemini-2.5-flash:countTokens", `{"contents":[{"role":"user","parts":[{"text":"hello world"}]}]}`, 200, ``, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := http.Post(g.URL+tt.path, "application/json", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status || !json.Valid(body) {
				t.Fatalf("status %d, error %v, body %s", res.StatusCode, err, body)
			}
			if tt.want != "" {
				if diff := cmp.Diff(tt.want+"\n", string(body)); diff != "" {
					t.Error(diff)
				}
			}
			if got := res.Header.Get("X-AI-Estimated") == "true"; got != tt.estimated {
				t.Errorf("estimated %v, want %v: %s", got, tt.estimated, body)
			}
		})
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestTokenizerFromFile counts with a vocabulary that the configuration
// names, also across a reload that takes it away.
func TestTokenizerFromFile(t *testing.T) {
	const site = "ai_gateway"
	with := "provider sim simulator\nprovider up openai_compatible {\nbase_url http://127.0.0.1:1/v1\n}\n"
	g := weirtest.Start(t, with+"tokenizer house-* tiktoken ../tokenizer/testdata/foreign/ranks.tiktoken", site)
	ask := func() map[string]any {
		t.Helper()
		res, err := http.Post(g.URL+"/v1/tokenize", "application/json", strings.NewReader(`{"model":"up/house-1","input":"The quick brown fox"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := ask(); got["estimated"] != false || !strings.HasPrefix(got["encoding"].(string), "tiktoken:") {
		t.Errorf("with the file: %v", got)
	}
	if err := g.Load("", with, site); err != nil {
		t.Fatal(err)
	}
	// The old configuration's server closes idle connections when it likes.
	http.DefaultClient.CloseIdleConnections()
	if got := ask(); got["estimated"] != true {
		t.Errorf("without the file: %v", got)
	}
	if err := g.Load("", with+"tokenizer house-* tiktoken /does/not/exist", site); err == nil {
		t.Error("a file that does not exist was accepted")
	}
	http.DefaultClient.CloseIdleConnections()
}
