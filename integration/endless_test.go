package integration

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestEndlessStreams ends a stream that no answer is as long as: sooner where it
// has to be put together for the client's dialect.
func TestEndlessStreams(t *testing.T) {
	const arguments = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"PAD"}}]}}]}` + "\n\n"
	const begins = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{"}}]}}]}` + "\n\n"
	for _, tt := range []struct {
		name, path, body, event string
		limit                   int64
	}{
		{"a call for Gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`, arguments, 64 << 20},
		{"comments", "/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`, ": PAD\n\n", 256 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := make(chan int64, 1)
			d := *doors[0]
			d.provider = "openai"
			rig := newRig(t, &d, "", "")
			event := strings.Replace(tt.event, "PAD", strings.Repeat("some words ", 6<<10), 1)
			rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, err := io.WriteString(w, begins)
				n := int64(len(begins))
				for err == nil && n < 2*tt.limit {
					_, err = io.WriteString(w, event)
					n += int64(len(event))
				}
				sent <- n
			})
			res, err := http.Post(rig.URL+tt.path, "application/json", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			tail := make([]byte, 0, 4<<10)
			for p := make([]byte, 64<<10); err == nil; {
				var n int
				n, err = res.Body.Read(p)
				tail = append(tail, p[:n]...)
				tail = tail[max(0, len(tail)-4<<10):]
			}
			if err == io.EOF || !strings.Contains(string(tail), "the upstream's stream is too long") {
				t.Errorf("it ended with %v after %q", err, clip(string(tail)))
			}
			if n := <-sent; n > tt.limit+tt.limit/4 {
				t.Errorf("%d bytes were taken of it, %d are allowed", n, tt.limit)
			}
			if record := rig.record(t); record.Error != "upstream" || record.Phase != "stream" {
				t.Errorf("record %+v", ledgerOf(record))
			}
		})
	}
}
