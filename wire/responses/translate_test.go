package responses_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

func user(text string) []wire.Message {
	return []wire.Message{{Blocks: []wire.Block{{Text: text}}}}
}

// TestEncodeFromOthers is one row per rule of requests that clients of other
// dialects sent.
func TestEncodeFromOthers(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, tt := range []struct {
		name string
		req  wire.Request
		want string // without what every request has
		lost []string
	}{
		{"a text", wire.Request{Messages: user("hi")}, `{"model":"gpt-4o","input":[{"type":"message","role":"user","content":"hi"}],"store":false}`, nil},
		{
			"the order",
			wire.Request{
				System: []wire.Block{{Text: "s"}, {Text: "t"}}, Messages: user("hi"), Tools: []wire.Tool{{Name: "f", Schema: `{"type":"object","properties":{"b":1,"a":2}}`}},
				ToolChoice: wire.ToolChoice{Mode: "required"}, ParallelTools: wire.No, MaxTokens: 9, Temperature: "0.5", Stream: true, User: "u",
			},
			`{"model":"gpt-4o","instructions":"s","tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"b":1,"a":2}},"strict":false}],"tool_choice":"required","parallel_tool_calls":false,"input":[{"type":"message","role":"system","content":"t"},{"type":"message","role":"user","content":"hi"}],"stream":true,"store":false,"max_output_tokens":9,"safety_identifier":"u","temperature":0.5}`, nil,
		},
		{
			"what has no place",
			wire.Request{
				Messages: user("hi"), Stop: []string{"x"}, Seed: "1", TopK: "2", Choices: 2, FrequencyPenalty: "1", PresencePenalty: "1", LogitBias: `{"1":2}`, Modalities: []string{"audio"},
				Extra: []wire.Extra{{Name: "prediction", Raw: "{}"}}, ServiceTier: "gold",
			},
			`{"model":"gpt-4o","input":[{"type":"message","role":"user","content":"hi"}],"store":false}`,
			[]string{"service_tier", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop", "n", "logit_bias", "modalities", "prediction"},
		},
		{"reasoning", wire.Request{Model: "gpt-5", Messages: user("hi"), Reasoning: wire.Reasoning{Mode: "on", Budget: 4000, Show: "auto"}}, `{"model":"gpt-5","input":[{"type":"message","role":"user","content":"hi"}],"reasoning":{"effort":"medium","summary":"auto"},"include":["reasoning.encrypted_content"],"store":false}`, nil},
		{"no reasoning", wire.Request{Model: "gpt-5.1", Messages: user("hi"), Reasoning: wire.Reasoning{Mode: "off"}}, `{"model":"gpt-5.1","input":[{"type":"message","role":"user","content":"hi"}],"reasoning":{"effort":"none"},"store":false}`, nil},
		{"no reasoning on a model that always does", wire.Request{Model: "o3", Messages: user("hi"), Reasoning: wire.Reasoning{Mode: "off"}}, `{"model":"o3","input":[{"type":"message","role":"user","content":"hi"}],"store":false}`, []string{"reasoning_effort"}},
		{"sampling on a reasoning model", wire.Request{Model: "gpt-5", Messages: user("hi"), Temperature: "0.2", TopP: "1"}, `{"model":"gpt-5","input":[{"type":"message","role":"user","content":"hi"}],"include":["reasoning.encrypted_content"],"store":false}`, []string{"temperature"}},
		{"log probabilities", wire.Request{Messages: user("hi"), LogProbs: true, TopLogProbs: "2"}, `{"model":"gpt-4o","input":[{"type":"message","role":"user","content":"hi"}],"include":["message.output_text.logprobs"],"store":false,"top_logprobs":2}`, nil},
		{"a schema", wire.Request{Messages: user("hi"), Format: wire.Format{Kind: "json_schema", Schema: `{"z":0}`}, Verbosity: "low"}, `{"model":"gpt-4o","input":[{"type":"message","role":"user","content":"hi"}],"text":{"format":{"type":"json_schema","name":"response","schema":{"z":0}},"verbosity":"low"},"store":false}`, nil},
		{"tools of others", wire.Request{Messages: user("hi"), Tools: []wire.Tool{{Name: "web_search", Raw: "{}", Vendor: wire.VendorAnthropic}}, ToolChoice: wire.ToolChoice{Mode: "auto"}}, `{"model":"gpt-4o","input":[{"type":"message","role":"user","content":"hi"}],"store":false}`, []string{"tools[web_search]"}},
		{
			"a custom tool of chat",
			wire.Request{Messages: user("hi"), Tools: []wire.Tool{{Name: "g", Custom: true, Grammar: `{"syntax":"regex","definition":"a+"}`}, {Name: "e", Strict: wire.Yes}}, ToolChoice: wire.ToolChoice{Mode: "named", Name: "g"}},
			`{"model":"gpt-4o","tools":[{"type":"custom","name":"g","format":{"type":"grammar","syntax":"regex","definition":"a+"}},{"type":"function","name":"e","parameters":{"type":"object","properties":{},"additionalProperties":false},"strict":true}],"tool_choice":{"type":"custom","name":"g"},"input":[{"type":"message","role":"user","content":"hi"}],"store":false}`, nil,
		},
		{
			"a tool loop",
			wire.Request{Messages: []wire.Message{
				{Role: wire.RoleAssistant, Blocks: []wire.Block{
					{Type: wire.ThinkingBlock, Text: "a", Signature: "s", Vendor: wire.VendorAnthropic},
					{Type: wire.ThinkingBlock, Text: "o", Signature: "e", Vendor: wire.VendorOpenAI, ID: "rs"},
					{Text: "t"},
					{Type: wire.CallBlock, Call: &wire.Call{ID: long, Name: "f"}},
				}},
				{Blocks: []wire.Block{{Type: wire.ResultBlock, Result: &wire.Result{CallID: long, IsError: true}}, {Text: "go on"}}},
			}},
			`{"model":"gpt-4o","input":[{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"o"}],"encrypted_content":"e"},{"type":"message","role":"assistant","content":"t"},{"type":"function_call","call_id":"call_9537c5fdf120482f7d58d25e9ed583f5","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"call_9537c5fdf120482f7d58d25e9ed583f5","output":""},{"type":"message","role":"user","content":"go on"}],"store":false}`,
			[]string{"thinking"},
		},
		{
			"attachments",
			wire.Request{Messages: []wire.Message{{Blocks: []wire.Block{
				{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/gif", Data: "AA"}},
				{Type: wire.DocumentBlock, Media: &wire.Media{MIME: "application/pdf", Data: "BB"}},
				{Type: wire.DocumentBlock, Media: &wire.Media{Text: "plain"}},
				{Type: wire.DocumentBlock, Media: &wire.Media{Text: "plain", Name: "notes"}},
			}}}},
			`{"model":"gpt-4o","input":[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:image/gif;base64,AA"},{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,BB"},{"type":"input_text","text":"plain"},{"type":"input_text","text":"notes:\nplain"}]}],"store":false}`, nil,
		},
		{"marks", wire.Request{Model: "gpt-6", Messages: []wire.Message{{Blocks: []wire.Block{{Text: "a", Cache: &wire.CacheMark{TTL: "1h"}}}}}, Store: wire.Yes}, `{"model":"gpt-6","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]}],"include":["reasoning.encrypted_content"],"store":true,"prompt_cache_options":{"ttl":"12h"}}`, nil},
		{"marks on an old model", wire.Request{Messages: []wire.Message{{Blocks: []wire.Block{{Text: "a", Cache: &wire.CacheMark{}}}}}}, `{"model":"gpt-4o","input":[{"type":"message","role":"user","content":"a"}],"store":false}`, []string{"cache_control"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Dialect = wire.Anthropic
			if tt.req.Model == "" {
				tt.req.Model = "gpt-4o"
			}
			got, loss := encodeRequest(t, &tt.req)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.lost, loss.Fields()); diff != "" {
				t.Errorf("lost: %s", diff)
			}
		})
	}
}

func TestUnmappable(t *testing.T) {
	for name, req := range map[string]wire.Request{
		"audio":                  {Messages: []wire.Message{{Blocks: []wire.Block{{Type: wire.AudioBlock, Media: &wire.Media{Data: "A"}}}}}},
		"video":                  {Messages: []wire.Message{{Blocks: []wire.Block{{Type: wire.VideoBlock, Media: &wire.Media{Data: "A"}}}}}},
		"another vendor's file":  {Dialect: wire.Anthropic, Messages: []wire.Message{{Blocks: []wire.Block{{Type: wire.ImageBlock, Media: &wire.Media{FileID: "f"}}}}}},
		"another vendor's block": {Messages: []wire.Message{{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: "{}"}}}}},
		"a picture in an answer": {Messages: []wire.Message{{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.ImageBlock, Media: &wire.Media{Data: "A"}}}}}},
		"state":                  {State: []wire.Extra{{Name: "cachedContent"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := codec.EncodeRequest(nil, &req, wire.NewLoss(&req))
			if err == nil {
				t.Fatal("no error")
			}
			if f := failureOf(t, err); f.Kind != wire.KindInvalid {
				t.Errorf("%+v", f)
			}
		})
	}
}
