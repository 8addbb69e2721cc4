package gemini_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recording is a recorded exchange.
type recording struct {
	name, api, url string
	status         int
	request        []byte
	response       []byte
	stream         bool
}

// recordings are those of AI Studio and Vertex whose api is one of apis.
func recordings(t testing.TB, apis ...string) []recording {
	t.Helper()
	var list []recording
	for _, vendor := range []string{"gemini", "vertex"} {
		dir := filepath.Join("..", "..", "integration", "testdata", "fixtures", vendor)
		metas, err := filepath.Glob(filepath.Join(dir, "*.meta.json"))
		if err != nil || len(metas) == 0 {
			t.Fatalf("no recordings of %s: %v", vendor, err)
		}
		for _, path := range metas {
			var meta struct {
				API     string
				Stream  bool
				Status  int
				Request struct {
					URL  string
					Body json.RawMessage
				}
				Response struct {
					BodyFile string `json:"body_file"`
				}
			}
			raw := read(t, path)
			if err := json.Unmarshal(raw, &meta); err != nil {
				t.Fatal(err)
			}
			for _, api := range apis {
				if meta.API != api {
					continue
				}
				r := recording{
					name: vendor + "/" + strings.TrimSuffix(filepath.Base(path), ".meta.json"),
					api:  meta.API, url: meta.Request.URL, status: meta.Status, stream: meta.Stream,
				}
				if len(meta.Request.Body) > 0 && meta.Request.Body[0] == '{' {
					r.request = meta.Request.Body
				}
				if meta.Response.BodyFile != "" {
					r.response = read(t, filepath.Join(dir, meta.Response.BodyFile))
				}
				list = append(list, r)
			}
		}
	}
	return list
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// model is the model in the recording's path.
func (r *recording) model() string {
	_, model, _ := strings.Cut(r.url, "/models/")
	model, _, _ = strings.Cut(model, ":")
	return model
}
