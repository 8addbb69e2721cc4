package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestPriceInForce charges the price of the day.
func TestPriceInForce(t *testing.T) {
	g, _ := access(t, `key ci {env.CI_KEY}
price openai/gpt-4o input 1 output 1 until 2026-01-01
price openai/gpt-4o input 100 output 1000 from 2026-01-01 until 2999-01-01
price openai/gpt-4o free from 2999-01-01`, "ai_gateway", hello)
	status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi)
	if status != 200 || header.Get("X-Ai-Cost-Usd") != "0.006" {
		t.Errorf("status %d, cost %q: %s", status, header.Get("X-Ai-Cost-Usd"), body)
	}
	if r := g.Records.Wait(t, 1)[0]; r.Cost.PriceVersion != "override@2026-01-01" || !r.Priced || r.CostEstimated {
		t.Errorf("version %q, %+v", r.Cost.PriceVersion, r)
	}
}

// TestEstimatedPrices holds what becomes of models whose own price nobody
// knows: one whose name begins as that of a known model, and one of none.
func TestEstimatedPrices(t *testing.T) {
	const family, unknown = "openai/gpt-4o-mini-enormous", "openai/nobody-knows-1"
	for _, tt := range []struct {
		name, policy, limit, model string

		status    int
		cost      string // as the header has it
		version   string // how the price's ends
		priced    bool
		estimated bool
	}{
		{"family, no budget", "deny", "", family, 200, "0.0000045", "~openai/gpt-4o-mini", false, true}, // 10 × 0.15 and 5 × 0.60
		{"family, budget", "deny", "limit usd 1 1M", family, 403, "", "", false, false},
		{"family, budget, estimate", "estimate", "limit usd 1 1M", family, 200, "0.0000045", "~openai/gpt-4o-mini", false, true},
		{"family, budget, free", "free", "limit usd 1 1M", family, 200, "0.0000045", "~openai/gpt-4o-mini", false, true},
		{"snapshot, budget", "deny", "limit usd 1 1M", "openai/gpt-4o-mini-2031-01-01", 200, "0.0000045", "", true, false},
		{"latest, budget", "deny", "limit usd 1 1M", "openai/gpt-4o-mini-latest", 200, "0.0000045", "", true, false},
		{"unknown, no budget", "deny", "", unknown, 200, "", "", false, false},
		{"unknown, budget", "deny", "limit usd 1 1M", unknown, 403, "", "", false, false},
		{"unknown, budget, estimate", "estimate", "limit usd 1 1M", unknown, 200, "0.000525", "~*", false, true}, // 10 × 15 and 5 × 75
		{"unknown, budget, free", "free", "limit usd 1 1M", unknown, 200, "", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := access(t, "unpriced "+tt.policy+"\nmodel near "+tt.model+"\nkey ci {env.CI_KEY} {\nlimit requests 9 1m\n"+tt.limit+"\n}", "ai_gateway", hello)
			status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, `"m"`, `"near"`, 1))
			if status != tt.status || header.Get("X-Ai-Cost-Usd") != tt.cost {
				t.Errorf("status %d, cost %q: %s", status, header.Get("X-Ai-Cost-Usd"), body)
			}
			r := g.Records.Wait(t, 1)[0]
			if status == 403 {
				if !strings.Contains(body, "price of '"+tt.model+"' is not known") || r.Cost.Total != 0 {
					t.Errorf("%s: %+v", body, r)
				}
				return
			}
			if r.Priced != tt.priced || r.CostEstimated != tt.estimated || !strings.HasSuffix(r.Cost.PriceVersion, tt.version) || tt.estimated != strings.Contains(r.Cost.PriceVersion, "~") {
				t.Errorf("priced %v, estimated %v, version %q", r.Priced, r.CostEstimated, r.Cost.PriceVersion)
			}
		})
	}
}

// TestEveryPartIsCharged holds that what vendors charge for apart is in the cost, in
// whole answers and in streams.
func TestEveryPartIsCharged(t *testing.T) {
	const price = "input 1 output 10 cache_read 0.1 cache_write 1.25 cache_write_1h 2 audio_input 100 audio_output 200 image_output 30 request 0.001 image 0.04 second 0.0001 character 0.000015 search 0.01 service priority input 2 output 20 service flex input 0.5 output 5"
	const request = 1_000_000 // nano-dollars, for each below
	data := func(events ...string) string { return "data: " + strings.Join(events, "\n\ndata: ") + "\n\n" }
	for _, tt := range []struct {
		name, provider, path, body string
		stream                     bool
		answer                     string
		want                       int64
	}{
		{
			"a chat with audio", "openai", "/v1/chat/completions", hi, false,
			`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"audio_tokens":4},"completion_tokens_details":{"audio_tokens":2}}}`,
			request + 6*1000 + 4*100_000 + 3*10_000 + 2*200_000,
		},
		{
			"a chat with priority", "openai", "/v1/chat/completions", hi, false,
			`{"id":"c","object":"chat.completion","created":1,"model":"m","service_tier":"priority","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`,
			request + 10*2000 + 5*20_000,
		},
		{
			"a stream that is flex", "openai", "/v1/chat/completions", hi, true,
			data(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"flex","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}`, `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"flex","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}`, "[DONE]"),
			request + 10*500 + 5*5000,
		},
		{
			"a response that searched", "openai", "/v1/responses", `{"model":"m","input":"hi"}`, false,
			`{"id":"r","object":"response","created_at":1,"model":"m","status":"completed","service_tier":"priority","output":[{"type":"web_search_call","id":"a","status":"completed","action":{"type":"search","query":"q"}},{"type":"web_search_call","id":"b","status":"completed","action":{"type":"open_page","url":"u"}},{"type":"web_search_call","id":"c","status":"completed"},{"type":"message","id":"d","role":"assistant","status":"completed","content":[{"type":"output_text","text":"a","annotations":[]}]}],"usage":{"input_tokens":10,"output_tokens":5}}`,
			request + 10*2000 + 5*20_000 + 2*10_000_000,
		},
		{
			"pictures", "openai", "/v1/images/generations", `{"model":"m","prompt":"a cat","n":3}`, false,
			`{"created":1,"data":[{"url":"a"},{"url":"b"},{"url":"c"}],"usage":{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"image_tokens":50}}}`,
			request + 10*1000 + 50*30_000 + 3*40_000_000,
		},
		{
			"messages with a cache of an hour", "anthropic", "/v1/messages", hi, false,
			`{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":100,"cache_read_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":60},"server_tool_use":{"web_search_requests":2},"service_tier":"standard"}}`,
			request + 10*1000 + 5*10_000 + 40*1250 + 60*2000 + 20*100 + 2*10_000_000,
		},
		{
			"a stream of messages", "anthropic", "/v1/messages", hi, true,
			data(`{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1,"cache_creation_input_tokens":100,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":100},"service_tier":"priority"}}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`, `{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5,"server_tool_use":{"web_search_requests":1}}}`, `{"type":"message_stop"}`),
			request + 10*2000 + 5*20_000 + 100*4000 + 10_000_000, // a tier changes what it does not name in proportion
		},
		{
			"a generation with sound", "gemini", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, false,
			`{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"promptTokensDetails":[{"modality":"TEXT","tokenCount":6},{"modality":"AUDIO","tokenCount":4}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":3}]}}`,
			request + 6*1000 + 4*100_000 + 2*10_000 + 3*30_000,
		},
		{
			"another dialect's", "anthropic", "/v1/chat/completions", hi, false,
			`{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":60,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":60}}}`,
			request + 10*1000 + 5*10_000 + 60*2000,
		},
		{
			"speech", "openai", "/v1/audio/speech", `{"model":"m","input":"gr\u00fc\u00dfe","voice":"v"}`, false,
			"ID3", request + 5*15_000 + 4*1000, // and its tokens, as counted, since the price has them too
		},
		{
			"a refusal", "openai", "/v1/chat/completions", hi, false, "", 0,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("UPSTREAM_KEY", "sk-upstream")
			t.Setenv("CI_KEY", "a-secret-of-ci-0001")
			t.Cleanup(http.DefaultClient.CloseIdleConnections)
			up := weirtest.NewUpstream(t, func(w http.ResponseWriter, _ *weirtest.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case tt.answer == "":
					w.WriteHeader(http.StatusBadRequest)
					_, _ = io.WriteString(w, `{"error":{"message":"no","type":"invalid_request_error"}}`)
					return
				case tt.stream:
					w.Header().Set("Content-Type", "text/event-stream")
				}
				_, _ = io.WriteString(w, tt.answer)
			})
			version := "/v1"
			if tt.provider == "gemini" {
				version = "/v1beta"
			}
			g := weirtest.StartWith(t, "", fmt.Sprintf("provider up %s {\nbase_url %s%s\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/some\nprice up/some %s\nkey ci {env.CI_KEY} {\nlimit usd 100 1M\n}", tt.provider, up.URL, version, price), "ai_gateway")
			body := tt.body
			if tt.stream {
				body = strings.Replace(body, `"model"`, `"stream":true,"model"`, 1)
			}
			status, _, answer := askWith(t, g, tt.path, "a-secret-of-ci-0001", body)
			if status != 200 && tt.want != 0 {
				t.Fatalf("status %d: %s", status, answer)
			}
			if r := g.Records.Wait(t, 1)[0]; r.Cost.Total != tt.want {
				t.Errorf("it costs %d, want %d: %+v", r.Cost.Total, tt.want, r.Cost)
			}
		})
	}
}
