package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime/multipart"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// recording is one recorded call of a vendor: a body and its sidecar.
type recording struct {
	Name     string `json:"-"`
	Body     []byte `json:"-"`
	Provider string `json:"provider"`
	API      string `json:"api"`
	Stream   bool   `json:"stream"`
	Status   int    `json:"status"`
	Request  struct {
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"request"`
	Response struct {
		Headers  map[string]string `json:"headers"`
		BodyFile string            `json:"body_file"`
	} `json:"response"`
}

// apiPaths are the paths of the recordings' kinds below the version.
var apiPaths = map[string]string{
	"chat":              "/chat/completions",
	"completions":       "/completions",
	"responses":         "/responses",
	"responses-compact": "/responses/compact",
	"input-tokens":      "/responses/input_tokens",
	"embeddings":        "/embeddings",
	"moderations":       "/moderations",
	"images":            "/images/generations",
	"speech":            "/audio/speech",
	"transcription":     "/audio/transcriptions",
	"translation":       "/audio/translations",
	"rerank":            "/rerank",
	"models":            "/models",
	"messages":          "/messages",
	"count-tokens":      "/messages/count_tokens",
}

// presets are the recordings' providers that have a provider module of their
// own name; all others are servers of the compatible kind.
var presets = map[string]bool{
	"openai": true, "anthropic": true, "groq": true, "deepseek": true, "mistral": true, "xai": true,
	"openrouter": true, "together": true, "fireworks": true, "ollama": true, "vllm": true, "llamacpp": true,
}

// foreign are providers whose recordings are of other dialects.
var foreign = map[string]bool{"bedrock": true, "cohere": true, "gemini": true, "vertex": true}

// loadRecordings reads every recording of this release's dialects below dir.
func loadRecordings(t *testing.T, dir string) []*recording {
	t.Helper()
	var list []*recording
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".meta.json") {
			return err
		}
		rec := new(recording)
		meta, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(meta, rec); err != nil {
			return fmt.Errorf("decoding %s: %w", path, err)
		}
		if apiPaths[rec.API] == "" || foreign[rec.Provider] || !rec.openAIShaped() {
			return nil
		}
		if rec.Body, err = os.ReadFile(filepath.Join(filepath.Dir(path), rec.Response.BodyFile)); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		rec.Name = strings.TrimSuffix(filepath.ToSlash(rel), ".meta.json")
		list = append(list, rec)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// openAIShaped leaves out Ollama's own API, which shares names with OpenAI's.
func (r *recording) openAIShaped() bool {
	if r.Provider != "ollama" {
		return true
	}
	return strings.Contains(r.Request.URL, "/v1/") && !strings.HasSuffix(r.Response.BodyFile, ".ndjson")
}

// path is the part of the call's path below the version.
func (r *recording) path() string {
	path, _, _ := strings.Cut(r.Request.URL, "?")
	if r.API == "models" {
		if at := strings.LastIndex(path, "/models/"); at >= 0 {
			return path[at:]
		}
	}
	for _, p := range []string{"/images/edits", "/images/variations"} {
		if strings.HasSuffix(path, p) {
			return p
		}
	}
	return apiPaths[r.API]
}

// module is the provider module that the call goes through.
func (r *recording) module() string {
	if presets[r.Provider] {
		return r.Provider
	}
	return "openai_compatible"
}

// model is the model that the recorded call asked for.
func (r *recording) model() string {
	if r.API == "models" {
		return strings.TrimPrefix(strings.TrimPrefix(r.path(), "/models"), "/")
	}
	for _, raw := range [][]byte{r.Request.Body, r.Body} {
		var m struct{ Model string }
		if json.Unmarshal(raw, &m) == nil && m.Model != "" {
			return m.Model
		}
	}
	return "test-model"
}

// contentType is the recorded one; where the source lost it, the usual one.
func (r *recording) contentType() string {
	if ct := r.header("content-type"); ct != "" {
		return ct
	}
	if strings.HasSuffix(r.Response.BodyFile, ".sse") {
		return "text/event-stream"
	}
	return "application/json"
}

func (r *recording) header(name string) string {
	for k, v := range r.Response.Headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// multipart reports whether the call carries a form.
func (r *recording) multipart() bool {
	return r.API == "transcription" && (len(r.Request.Body) == 0 || string(r.Request.Body) == "null")
}

// requestBody is the recorded body with model in place of its own; where the
// source has none, one that fits.
func (r *recording) requestBody(model string) (body []byte, contentType string) {
	if r.multipart() {
		return formBody(model)
	}
	body = r.Request.Body
	if len(body) == 0 || string(body) == "null" {
		body = []byte(fitting[r.API])
	}
	var text string
	if json.Unmarshal(body, &text) == nil {
		body = []byte(text)
	}
	body = setMember(body, "model", quote(model))
	if r.Stream {
		body = setMember(body, "stream", "true")
	}
	return body, "application/json"
}

// fitting are bodies for recordings whose source kept none.
var fitting = map[string]string{
	"chat":              `{ "messages": [{"role":"user","content":"caf\u00e9"}], "temperature": 1.0, "x_unknown": [1e2, {"a": null}] }`,
	"completions":       `{"prompt":"Once upon a time","max_tokens":16}`,
	"responses":         `{"input":"hello","store":false}`,
	"responses-compact": `{"input":"hello"}`,
	"input-tokens":      `{"input":"hello"}`,
	"embeddings":        `{"input":"hello"}`,
	"moderations":       `{"input":["one","two"]}`,
	"images":            `{"prompt":"a weir"}`,
	"speech":            `{"input":"hello","voice":"alloy"}`,
	"rerank":            `{"query":"weir","documents":["a dam","a cat"]}`,
	"messages":          `{"max_tokens":1024,"messages":[{"role":"user","content":"hello"}]}`,
	"count-tokens":      `{"messages":[{"role":"user","content":"hello"}]}`,
}

func formBody(model string) ([]byte, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file, _ := w.CreateFormFile("file", "speech.mp3")
	_, _ = file.Write(bytes.Repeat([]byte{0xff, 0xfb, 0x90, 0}, 64))
	_ = w.WriteField("model", model)
	_ = w.WriteField("response_format", "json")
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// member is one member of a JSON object and where its value stands.
type member struct {
	key        string
	start, end int
}

// members reads the top of a JSON object with the standard decoder.
func members(body []byte) []member {
	dec := json.NewDecoder(bytes.NewReader(body))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil
	}
	var list []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return nil
		}
		end := int(dec.InputOffset())
		list = append(list, member{key.(string), end - len(raw), end})
	}
	return list
}

// setMember replaces a member's value, or puts the member first.
func setMember(body []byte, name, value string) []byte {
	for _, m := range members(body) {
		if m.key == name {
			return splice(body, m.start, m.end, value)
		}
	}
	at := bytes.IndexByte(body, '{') + 1
	text := quote(name) + ": " + value
	if len(members(body)) > 0 {
		text += ", "
	}
	return splice(body, at, at, text)
}

func splice(body []byte, start, end int, text string) []byte {
	out := append([]byte(nil), body[:start]...)
	out = append(out, text...)
	return append(out, body[end:]...)
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
