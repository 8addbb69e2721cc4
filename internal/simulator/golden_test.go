package simulator

import (
	"net/http"
	"strings"
	"testing"
)

const (
	hello = `"messages":[{"role":"user","content":"Hello there, old river"}]`
	tools = `"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":3}},"required":["city","days"]}}},{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{}}}}]`

	flatTools   = `"tools":[{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"enum":["Oslo","Rome"]}},"required":["city"]}},{"type":"function","name":"get_time","parameters":{"type":"object","properties":{}}}]`
	claudeTools = `"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"get_time","input_schema":{"type":"object"}}]`
)

// TestGolden fixes the bytes of every shape.
func TestGolden(t *testing.T) {
	for _, tt := range []struct{ name, path, body string }{
		{"chat.json", "/v1/chat/completions", `{"model":"sim/tokens-12",` + hello + `}`},
		{"chat-n.json", "/v1/chat/completions", `{"model":"gpt-4.1","max_tokens":5,"n":2,` + hello + `}`},
		{"chat-tool.json", "/v1/chat/completions", `{"model":"tool",` + tools + `,` + hello + `}`},
		{"chat-refuse.json", "/v1/chat/completions", `{"model":"refuse",` + hello + `}`},
		{"chat-json.json", "/v1/chat/completions", `{"model":"json",` + hello + `}`},
		{"chat.sse", "/v1/chat/completions", `{"model":"tokens-4","stream":true,` + hello + `}`},
		{"chat-usage.sse", "/v1/chat/completions", `{"model":"tokens-4","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},` + hello + `}`},
		{"chat-n.sse", "/v1/chat/completions", `{"model":"echo","stream":true,"n":2,` + hello + `}`},
		{"chat-tool.sse", "/v1/chat/completions", `{"model":"tool","stream":true,` + tools + `,` + hello + `}`},
		{"chat-refuse.sse", "/v1/chat/completions", `{"model":"refuse","stream":true,` + hello + `}`},
		{"chat-error.sse", "/v1/chat/completions", `{"model":"err-stream-2","stream":true,` + hello + `}`},
		{"chat-garbage.sse", "/v1/chat/completions", `{"model":"garbage+tokens-3","stream":true,` + hello + `}`},
		{"completions.json", "/v1/completions", `{"model":"tokens-12","prompt":["One","Two"]}`},
		{"completions-stop.sse", "/v1/completions", `{"model":"tokens-3","prompt":"One","stream":true}`},
		{"completions-length.sse", "/v1/completions", `{"model":"m","prompt":"One","stream":true,"max_tokens":3,"stream_options":{"include_usage":true}}`},
		{"responses.json", "/v1/responses", `{"model":"tokens-12","input":"Hello","instructions":"Be brief.","metadata":{"a": "b"}}`},
		{"responses.sse", "/v1/responses", `{"model":"tokens-3","input":"Hello","stream":true}`},
		{"responses-length.sse", "/v1/responses", `{"model":"m","input":"Hello","max_output_tokens":2,"stream":true}`},
		{"responses-tool.sse", "/v1/responses", `{"model":"tool","input":[{"role":"user","content":"Hello"}],"stream":true,` + flatTools + `}`},
		{"responses-refuse.sse", "/v1/responses", `{"model":"refuse","input":"Hello","stream":true}`},
		{"responses-error.sse", "/v1/responses", `{"model":"err-stream-1","input":"Hello","stream":true}`},
		{"input-tokens.json", "/v1/responses/input_tokens", `{"model":"m","input":"Hello there"}`},
		{"embeddings.json", "/v1/embeddings", `{"model":"text-embedding-3-small","input":["one two","Three"],"dimensions":4}`},
		{"embeddings-base64.json", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"one two","dimensions":4,"encoding_format":"base64"}`},
		{"moderations.json", "/v1/moderations", `{"model":"omni-moderation-latest","input":"a book about violence"}`},
		{"messages.json", "/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":6,` + hello + `}`},
		{"messages-tool.json", "/v1/messages", `{"model":"tool","max_tokens":100,` + claudeTools + `,` + hello + `}`},
		{"messages.sse", "/v1/messages", `{"model":"tokens-3","max_tokens":100,"stream":true,` + hello + `}`},
		{"messages-tool.sse", "/v1/messages", `{"model":"tool","max_tokens":100,"stream":true,` + claudeTools + `,` + hello + `}`},
		{"messages-refuse.sse", "/v1/messages", `{"model":"refuse","max_tokens":100,"stream":true,` + hello + `}`},
		{"messages-error.sse", "/v1/messages", `{"model":"err-stream-2","max_tokens":100,"stream":true,` + hello + `}`},
		{"count-tokens.json", "/v1/messages/count_tokens", `{"model":"m","system":"Be brief.",` + hello + `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := post(t, simulate(Config{Seed: 1}), tt.path, tt.body)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", res.StatusCode, read(t, res))
			}
			want := "application/json"
			if strings.HasSuffix(tt.name, ".sse") {
				want = "text/event-stream; charset=utf-8"
			}
			if got := res.Header.Get("Content-Type"); got != want {
				t.Errorf("content type %q, want %q", got, want)
			}
			golden(t, tt.name, read(t, res))
		})
	}
}

// TestGoldenModels fixes the listings, which share their path.
func TestGoldenModels(t *testing.T) {
	for _, tt := range []struct{ name, path string }{
		{"models.json", "/v1/models"},
		{"model.json", "/v1/models/deepseek%2Fdeepseek-chat"},
		{"models-anthropic.json", "/anthropic/v1/models"},
		{"model-anthropic.json", "/anthropic/v1/models/claude-sonnet-4-5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := simulate(Config{}).RoundTrip(request(t, t.Context(), http.MethodGet, tt.path, ""))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name, read(t, res))
		})
	}
}
