package openai_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compatible are the providers whose recordings are of this dialect.
var compatible = []string{"openai", "azure", "compat", "deepseek", "groq", "llamacpp", "mistral", "openrouter", "together", "vllm", "xai", "gemini", "ollama"}

// fixture is a recorded exchange.
type fixture struct {
	name    string
	api     string
	status  int
	request []byte
	body    []byte
	stream  bool
}

// fixtures reads the recordings of an API.
func fixtures(t testing.TB, apis ...string) []fixture {
	t.Helper()
	var list []fixture
	for _, provider := range compatible {
		dir := filepath.Join("..", "..", "integration", "testdata", "fixtures", provider)
		metas, err := filepath.Glob(filepath.Join(dir, "*.meta.json"))
		if err != nil || len(metas) == 0 {
			t.Fatalf("no recordings in %s: %v", dir, err)
		}
		for _, path := range metas {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var meta struct {
				API     string
				Status  int
				Request struct {
					URL  string
					Body json.RawMessage
				}
				Response struct {
					BodyFile string `json:"body_file"`
				}
			}
			if err := json.Unmarshal(raw, &meta); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(apis, meta.API) || strings.Contains(meta.Request.URL, "/api/chat") || strings.HasSuffix(meta.Response.BodyFile, ".ndjson") {
				continue
			}
			f := fixture{name: provider + "/" + strings.TrimSuffix(filepath.Base(path), ".meta.json"), api: meta.API, status: meta.Status, request: meta.Request.Body}
			f.stream = strings.HasSuffix(meta.Response.BodyFile, ".sse")
			if f.body, err = os.ReadFile(filepath.Join(dir, meta.Response.BodyFile)); err != nil {
				t.Fatal(err)
			}
			list = append(list, f)
		}
	}
	return list
}
