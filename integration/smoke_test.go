package integration

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestFirstRequest is what a newcomer does first.
func TestFirstRequest(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/default", "ai_health\nai_gateway")
	for name, c := range map[string]struct{ body, want string }{
		"streamed": {`{"model":"chat","stream":true,"messages":[{"role":"user","content":"Hello!"}]}`, "data: [DONE]\n\n"},
		"whole":    {`{"model":"chat","messages":[{"role":"user","content":"Hello!"}]}`, "}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := http.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK || !bytes.HasSuffix(body, []byte(c.want)) {
				t.Fatalf("status %d, error %v, body %q", res.StatusCode, err, body)
			}
		})
	}
	if records := g.Records.Wait(t, 2); records[0].Status != http.StatusOK || records[0].Usage.Output == 0 {
		t.Errorf("record %+v", records[0])
	}
	http.DefaultClient.CloseIdleConnections()
}
