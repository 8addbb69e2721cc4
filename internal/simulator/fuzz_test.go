package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzRequest sends foreign bytes to every endpoint: the answer is JSON, or a
// stream whose every event is.
func FuzzRequest(f *testing.F) {
	for i := range routes {
		f.Add(i, []byte(`{"model":"echo","max_tokens":9,"stream":true,"input":["a",[1]],"prompt":[[1]],`+tools+`,`+hello+`}`))
		f.Add(i, []byte(`{"model":"tool","max_tokens":9,"input":[{"type":"function_call_output","output":"x"}],"prompt":"a","stop":["e"],`+tools+`,`+hello+`}`))
		f.Add(i, []byte(`{"model":"json","max_tokens":2,"input":"a","response_format":{"type":"json_object"},`+hello+`}`))
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		var head struct{ Model string }
		_ = json.Unmarshal(body, &head)
		for _, word := range []string{"hang", "stall", "garbage", "html", "cut", "err-stream", "tokens-"} {
			if strings.Contains(head.Model, word) {
				return // not an answer, or a long one
			}
		}
		path := routes[uint(i)%uint(len(routes))].suffix
		req := request(t, t.Context(), http.MethodPost, "/v1"+path, string(body))
		res, err := simulate(Config{OutputTokens: 12}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.Header.Get("Content-Type") == "application/json" {
			if !json.Valid(got) {
				t.Fatalf("not JSON: %s", got)
			}
			return
		}
		for line := range strings.SplitSeq(string(got), "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			if ok && data != "[DONE]" && !json.Valid([]byte(data)) {
				t.Fatalf("not JSON: %s", line)
			}
			if !ok && line != "" && !strings.HasPrefix(line, "event: ") {
				t.Fatalf("not an event: %q", line)
			}
		}
	})
}
