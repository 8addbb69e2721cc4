package integration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCapsOfVendors sends the cap on generated tokens in the member that its
// upstream knows, if a limit rests on it: many pass over the other one, and would
// overrun what is reserved. Bodies are otherwise the client's own.
func TestCapsOfVendors(t *testing.T) {
	const before, after = `{"messages":[{"role":"user","content":"hi"}], `, `,"model":"M","future":1}`
	for _, tt := range []struct{ provider, model, asked, sent string }{
		{"mistral", "mistral-large-latest", `"max_completion_tokens": 20`, `"max_tokens": 20`},
		{"deepseek", "deepseek-chat", `"max_completion_tokens": 20`, `"max_tokens": 20`},
		{"deepseek", "deepseek-chat", `"max_tokens": 20`, `"max_tokens": 20`},
		{"together", "llama", `"max_completion_tokens": 20`, `"max_tokens": 20`},
		{"ollama", "llama", `"max_completion_tokens": 20`, `"max_tokens": 20`},
		{"groq", "llama", `"max_tokens": 20`, `"max_tokens": 20`},
		{"vllm", "llama", `"max_completion_tokens": 20`, `"max_completion_tokens": 20`},
		{"openai_compatible", "gpt-5", `"max_completion_tokens": 20`, `"max_completion_tokens": 20`},
		{"openai_compatible", "gpt-5", `"max_tokens": 20`, `"max_tokens": 20`},
		{"openai", "gpt-5", `"max_tokens": 20`, `"max_tokens": 20`},
		{"openai", "gpt-4o", `"max_tokens": 20`, `"max_tokens": 20`},
		{"openai", "gpt-4o", `"max_completion_tokens": 20`, `"max_completion_tokens": 20`},
	} {
		for _, limited := range []struct{ name, option, sent string }{
			{"without a limit", "", tt.asked},
			{"with a limit on requests", "limit model m requests 100 1h\n", tt.asked},
			{"with a limit on tokens", "limit model m tokens 100000 1h\n", tt.sent},
		} {
			t.Run(tt.provider+"/"+tt.model+"/"+tt.asked+"/"+limited.name, func(t *testing.T) {
				rig := newVendor(t, "provider v "+tt.provider+" {\nbase_url URL/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m v/"+tt.model+"\n"+limited.option)
				rig.answers(whole(200, doors[0].answer))
				if got := rig.ask(t, "/v1/chat/completions", before+tt.asked+strings.Replace(after, "M", "m", 1)); got.status != 200 {
					t.Fatalf("status %d: %s", got.status, got.body)
				}
				if diff := cmp.Diff(before+limited.sent+strings.Replace(after, "M", tt.model, 1), string(rig.upstreamCalls()[0].Body)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
