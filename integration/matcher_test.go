package integration

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestMatchModel holds that the matcher sees the model in every form in which
// ai_proxy does: what a site says of a model must not be evaded by another
// spelling of the request. What comes after it gets the body as it came.
func TestMatchModel(t *testing.T) {
	packed := func(body string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, body)
		_ = w.Close()
		return b.String()
	}
	d := doors[0]
	rig := newRigIn(t, d, "", "@big ai_model big* nothing\nhandle @big {\nrespond matched 418\n}\nhandle {\nai_gateway\n}")
	var got string
	rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
		got = string(r.Body)
		whole(200, d.answer)(w, r)
	})
	chat := func(model string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]}`
	}
	file := part("file", "a.wav", strings.Repeat("x", 300<<10))
	for _, tt := range []struct {
		name, path, body, kind, encoding string
		status                           int
	}{
		{"JSON", "/v1/chat/completions", chat("big-1"), "application/json", "", 418},
		{"another", "/v1/chat/completions", chat("m"), "application/json", "", 200},
		{"gzip", "/v1/chat/completions", packed(chat("big-1")), "application/json", "gzip", 418},
		{"another with gzip", "/v1/chat/completions", packed(chat("m")), "application/json", "gzip", 200},
		{"no gzip", "/v1/chat/completions", chat("big-1"), "application/json", "gzip", 400},
		{"an encoding that nobody reads", "/v1/chat/completions", chat("big-1"), "application/json", "br", 400},
		{"JSON that calls itself text", "/v1/chat/completions", chat("big-1"), "text/plain", "", 418},
		{"JSON that calls itself a form", "/v1/chat/completions", chat("big-1"), formType, "", 418},
		{"JSON that calls itself nothing", "/v1/messages", chat("big-1"), "", "", 418},
		{"Gemini", "/v1beta/models/big-1:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, "application/json", "", 418},
		{"a form", "/v1/audio/transcriptions", formOf(part("model", "", "big-1"), file), formType, "", 418},
		{"a form with the model last", "/v1/audio/transcriptions", formOf(file, part("model", "", "big-1")), formType, "", 418},
		{"a form of another", "/v1/audio/transcriptions", formOf(file, part("model", "", "m")), formType, "", 200},
		{"a form without a model", "/v1/audio/transcriptions", formOf(file), formType, "", 400},
		{"a form that is cut", "/v1/audio/transcriptions", part("model", "", "big-1"), formType, "", 400},
		{"no boundary", "/v1/audio/transcriptions", formOf(part("model", "", "big-1")), "multipart/form-data", "", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, rig.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.kind != "" {
				req.Header.Set("Content-Type", tt.kind)
			}
			if tt.encoding != "" {
				req.Header.Set("Content-Encoding", tt.encoding)
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			got = ""
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s %v", res.StatusCode, tt.status, body, err)
			}
			if tt.status == 200 && tt.kind == formType && strings.Count(got, "x") < 300<<10 {
				t.Errorf("%d bytes reached the upstream", len(got))
			}
		})
	}
}
