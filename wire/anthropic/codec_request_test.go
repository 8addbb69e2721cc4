package anthropic_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
)

func hello() []wire.Message {
	return []wire.Message{{Role: wire.RoleUser, Blocks: []wire.Block{{Text: "hi"}}}}
}

const helloJSON = `"messages":[{"role":"user","content":"hi"}]`

func TestEncodeOptions(t *testing.T) {
	object := `{"type":"object","properties":{"a":{"type":"string"}}}`
	tool := []wire.Tool{{Name: "f", Schema: object}}
	toolJSON := `"tools":[{"name":"f","input_schema":` + object + `}],`
	for _, tt := range []struct {
		name string
		req  wire.Request
		want string
		lost string
	}{
		{"a cap where the client has none", wire.Request{Model: "claude-3-haiku"}, helloJSON + `,"max_tokens":4096`, ""},
		{"no model known", wire.Request{Model: "m"}, helloJSON + `,"max_tokens":8192`, ""},
		{"a cap beyond the model's", wire.Request{Model: "claude-3-haiku", MaxTokens: 9999}, helloJSON + `,"max_tokens":4096`, ""},
		{"a hot temperature", wire.Request{Model: "m", MaxTokens: 9, Temperature: "1.5"}, helloJSON + `,"max_tokens":9,"temperature":1`, "temperature"},
		{"numbers as spelled", wire.Request{Model: "m", MaxTokens: 9, Temperature: "0.70", TopP: "1e-1", TopK: "5"}, helloJSON + `,"max_tokens":9,"temperature":0.70,"top_p":1e-1,"top_k":5`, ""},
		{"one of two", wire.Request{Model: "claude-sonnet-4.5", MaxTokens: 9, Temperature: "0.5", TopP: "0.9"}, helloJSON + `,"max_tokens":9,"temperature":0.5`, "top_p"},
		{"no sampling", wire.Request{Model: "claude-opus-4-7", MaxTokens: 9, Temperature: "0.5", TopP: "0.9", TopK: "3"}, helloJSON + `,"max_tokens":9`, "temperature, top_p, top_k"},
		{"default sampling", wire.Request{Model: "claude-opus-4-7", MaxTokens: 9, Temperature: "1.0", TopP: "1"}, helloJSON + `,"max_tokens":9`, ""},
		{"stop strings", wire.Request{Model: "m", MaxTokens: 9, Stop: []string{"a", " \n"}}, helloJSON + `,"max_tokens":9,"stop_sequences":["a"]`, "stop"},
		{"user and stream", wire.Request{Model: "m", MaxTokens: 9, User: "u", Stream: true}, helloJSON + `,"max_tokens":9,"metadata":{"user_id":"u"},"stream":true`, ""},
		{"tiers", wire.Request{Model: "m", MaxTokens: 9, ServiceTier: "default"}, helloJSON + `,"max_tokens":9,"service_tier":"standard_only"`, ""},
		{"flex", wire.Request{Model: "m", MaxTokens: 9, ServiceTier: "flex"}, helloJSON + `,"max_tokens":9`, "service_tier"},
		{
			"nothing of its kind",
			wire.Request{Model: "m", MaxTokens: 9, Choices: 2, Seed: "1", FrequencyPenalty: "1", PresencePenalty: "0.1", LogProbs: true, TopLogProbs: "2", LogitBias: `{"1":2}`, Modalities: []string{"audio"}, Verbosity: "low", Metadata: `{"a":"b"}`, Store: wire.Yes, CacheKey: "k", CacheOptions: `{"ttl":"30m"}`, Extra: []wire.Extra{{Name: "prediction", Raw: "{}"}}},
			helloJSON + `,"max_tokens":9`,
			"n, seed, frequency_penalty, presence_penalty, logprobs, top_logprobs, logit_bias, modalities, verbosity, metadata, store, prompt_cache_key, prompt_cache_options, prediction",
		},
		{"what happens anyway", wire.Request{Model: "m", MaxTokens: 9, Choices: 1, FrequencyPenalty: "0", PresencePenalty: "0.0", Store: wire.No, LogitBias: "{}"}, helloJSON + `,"max_tokens":9`, ""},

		{"an effort", wire.Request{Model: "claude-opus-4-7", MaxTokens: 9, Reasoning: wire.Reasoning{Effort: "xhigh"}}, helloJSON + `,"max_tokens":9,"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}`, ""},
		{"minimal effort", wire.Request{Model: "claude-opus-4-7", MaxTokens: 9, Reasoning: wire.Reasoning{Effort: "minimal", Show: "detailed"}}, helloJSON + `,"max_tokens":9,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}`, ""},
		{"an effort that 4.6 lacks", wire.Request{Model: "claude-opus-4-6", MaxTokens: 9, Reasoning: wire.Reasoning{Effort: "xhigh"}}, helloJSON + `,"max_tokens":9,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}`, "reasoning_effort"},
		{"an effort as a budget", wire.Request{Model: "claude-sonnet-4-5", Reasoning: wire.Reasoning{Effort: "high"}}, helloJSON + `,"max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":16384}`, ""},
		{"an effort under a cap", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 4000, Reasoning: wire.Reasoning{Effort: "high"}}, helloJSON + `,"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}`, ""},
		{"an effort under a small cap", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 100, Reasoning: wire.Reasoning{Effort: "low"}}, helloJSON + `,"max_tokens":100`, "reasoning_effort"},
		{"an effort just under a cap", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 1025, Reasoning: wire.Reasoning{Effort: "high"}}, helloJSON + `,"max_tokens":1025,"thinking":{"type":"enabled","budget_tokens":1024}`, ""},
		{"a budget above the cap", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 4000, Reasoning: wire.Reasoning{Mode: "on", Budget: 5000}}, helloJSON + `,"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}`, "reasoning_effort"},
		{"a budget under the cap", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 4000, Reasoning: wire.Reasoning{Mode: "on", Budget: 3999}}, helloJSON + `,"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":3999}`, ""},
		{"a budget above a small cap", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 1000, Reasoning: wire.Reasoning{Mode: "on", Budget: 3000}}, helloJSON + `,"max_tokens":1000`, "reasoning_effort"},
		{"a budget where there are efforts", wire.Request{Model: "claude-opus-4-8", MaxTokens: 9, Reasoning: wire.Reasoning{Mode: "on", Budget: 9000}}, helloJSON + `,"max_tokens":9,"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}`, ""},
		{"thinking off", wire.Request{Model: "claude-opus-4-7", MaxTokens: 9, Reasoning: wire.Reasoning{Effort: "none"}}, helloJSON + `,"max_tokens":9,"thinking":{"type":"disabled"}`, ""},
		{"thinking that cannot be off", wire.Request{Model: "claude-opus-5-5", MaxTokens: 9, Reasoning: wire.Reasoning{Effort: "none"}}, helloJSON + `,"max_tokens":9,"output_config":{"effort":"low"}`, "reasoning_effort"},
		{"a model that does not think", wire.Request{Model: "claude-3-5-haiku", MaxTokens: 9, Reasoning: wire.Reasoning{Effort: "low"}}, helloJSON + `,"max_tokens":9`, "reasoning_effort"},
		{"an unknown model thinks by budget", wire.Request{Model: "m", MaxTokens: 9000, Reasoning: wire.Reasoning{Effort: "low"}}, helloJSON + `,"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048}`, ""},
		{"thinking takes no sampling", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 9000, Reasoning: wire.Reasoning{Effort: "low"}, Temperature: "0.2", TopP: "0.5", TopK: "7"}, helloJSON + `,"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048}`, "temperature, top_p, top_k"},
		{"a forced call forbids a budget", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 9000, Tools: tool, ToolChoice: wire.ToolChoice{Mode: "required"}, Reasoning: wire.Reasoning{Effort: "low"}}, toolJSON + `"tool_choice":{"type":"any"},` + helloJSON + `,"max_tokens":9000`, "reasoning_effort"},
		{"a forced call goes with efforts", wire.Request{Model: "claude-opus-4-7", MaxTokens: 9, Tools: tool, ToolChoice: wire.ToolChoice{Mode: "named", Name: "f"}, Reasoning: wire.Reasoning{Effort: "low"}}, toolJSON + `"tool_choice":{"type":"tool","name":"f"},` + helloJSON + `,"max_tokens":9,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}`, ""},

		{"one call at a time", wire.Request{Model: "m", MaxTokens: 9, Tools: tool, ParallelTools: wire.No}, toolJSON + `"tool_choice":{"type":"auto","disable_parallel_tool_use":true},` + helloJSON + `,"max_tokens":9`, ""},
		{"no calls", wire.Request{Model: "m", MaxTokens: 9, Tools: tool, ToolChoice: wire.ToolChoice{Mode: "none"}, ParallelTools: wire.No}, toolJSON + `"tool_choice":{"type":"none"},` + helloJSON + `,"max_tokens":9`, ""},
		{"a choice of nothing", wire.Request{Model: "m", MaxTokens: 9, ToolChoice: wire.ToolChoice{Mode: "required"}}, helloJSON + `,"max_tokens":9`, "tool_choice"},
		{"allowed tools", wire.Request{Model: "m", MaxTokens: 9, Tools: append([]wire.Tool{{Name: "g"}}, tool...), ToolChoice: wire.ToolChoice{Mode: "auto", Allowed: []string{"f"}}}, toolJSON + `"tool_choice":{"type":"auto"},` + helloJSON + `,"max_tokens":9`, ""},
		{"a tool without arguments", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "g", Description: "d"}}}, `"tools":[{"name":"g","description":"d","input_schema":{"type":"object","properties":{}}}],` + helloJSON + `,"max_tokens":9`, ""},
		{"a schema without a type", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "g", Schema: `{"properties":{}}`}}}, `"tools":[{"name":"g","input_schema":{"type":"object","properties":{}}}],` + helloJSON + `,"max_tokens":9`, ""},
		{"a strict tool", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "f", Schema: object, Strict: wire.Yes}}}, `"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false},"strict":true}],` + helloJSON + `,"max_tokens":9`, ""},
		{"strict tools that say little", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "f", Strict: wire.Yes}, {Name: "g", Schema: `{"properties":{"a":{}}}`, Strict: wire.Yes}}}, `"tools":[{"name":"f","input_schema":{"type":"object","properties":{},"additionalProperties":false},"strict":true},{"name":"g","input_schema":{"type":"object","properties":{"a":{}},"additionalProperties":false},"strict":true}],` + helloJSON + `,"max_tokens":9`, ""},
		{"a strict tool that refers", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "f", Schema: `{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"b":{}}}}}`, Strict: wire.Yes}}}, `"tools":[{"name":"f","input_schema":{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"b":{}},"additionalProperties":false}}},"strict":true}],` + helloJSON + `,"max_tokens":9`, ""},
		{"a strict tool of old", wire.Request{Model: "claude-sonnet-4-0", MaxTokens: 9, Tools: []wire.Tool{{Name: "f", Schema: object, Strict: wire.Yes}}}, toolJSON + helloJSON + `,"max_tokens":9`, "tools[f].strict"},
		{"a custom tool", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "p", Custom: true, Grammar: `{"a":1}`}}}, `"tools":[{"name":"p","input_schema":` + wire.CustomSchema + `}],` + helloJSON + `,"max_tokens":9`, "tools[p].format"},
		{"a custom tool of plain text", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "p", Custom: true}}}, `"tools":[{"name":"p","input_schema":` + wire.CustomSchema + `}],` + helloJSON + `,"max_tokens":9`, ""},
		{"another vendor's tool", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "web_search", Raw: `{"type":"web_search"}`, Vendor: wire.VendorOpenAI}}}, helloJSON + `,"max_tokens":9`, "tools[web_search]"},
		{"a tool of its own", wire.Request{Model: "m", MaxTokens: 9, Tools: []wire.Tool{{Name: "bash", Raw: `{"type":"bash_20250124","name":"bash"}`, Vendor: wire.VendorAnthropic}}}, `"tools":[{"type":"bash_20250124","name":"bash"}],` + helloJSON + `,"max_tokens":9`, ""},

		{"a schema", wire.Request{Model: "claude-sonnet-4-5", MaxTokens: 9, Format: wire.Format{Kind: "json_schema", Name: "x", Schema: object}}, helloJSON + `,"max_tokens":9,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}}}`, ""},
		{"a schema in words", wire.Request{Model: "claude-sonnet-4", MaxTokens: 9, System: []wire.Block{{Text: "s"}}, Format: wire.Format{Kind: "json_schema", Schema: `{}`}}, `"system":[{"type":"text","text":"s"},{"type":"text","text":"Answer with JSON that conforms to the following JSON schema, and with nothing else: no explanation, no code fence.\n{}"}],` + helloJSON + `,"max_tokens":9`, ""},
		{"json in words", wire.Request{Model: "m", MaxTokens: 9, Format: wire.Format{Kind: "json_object"}}, `"system":"Answer with one JSON object and nothing else: no explanation, no code fence.",` + helloJSON + `,"max_tokens":9`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := tt.req
			req.Messages = hello()
			loss := wire.NewLoss(&req)
			got, err := anthropic.Codec{}.EncodeRequest(nil, &req, loss)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"model":"` + req.Model + `",` + tt.want + `}`
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
			if loss.String() != tt.lost {
				t.Errorf("lost %q, want %q", loss, tt.lost)
			}
		})
	}
}

func TestEncodeMessages(t *testing.T) {
	text := func(role wire.Role, s string) wire.Message {
		return wire.Message{Role: role, Blocks: []wire.Block{{Text: s}}}
	}
	message := func(role wire.Role, blocks ...wire.Block) wire.Message {
		return wire.Message{Role: role, Blocks: blocks}
	}
	call := func(id, arguments string) wire.Block {
		return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: "f", Arguments: arguments}}
	}
	media := func(kind wire.BlockType, m wire.Media) wire.Block { return wire.Block{Type: kind, Media: &m} }
	own := wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorAnthropic}
	for _, tt := range []struct {
		name     string
		model    string
		messages []wire.Message
		want     string
		lost     string
		failure  string
	}{
		{name: "system folded", model: "claude-sonnet-4-5", messages: []wire.Message{text(wire.RoleUser, "a"), text(wire.RoleAssistant, "b"), text(wire.RoleSystem, "c"), text(wire.RoleUser, "d")}, want: `{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"<system>\nc\n</system>"},{"type":"text","text":"d"}]}`},
		{name: "system folded last", model: "m", messages: []wire.Message{text(wire.RoleUser, "a"), text(wire.RoleSystem, "c")}, want: `{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"<system>\nc\n</system>"}]}`},
		{name: "system turn", model: "claude-opus-5", messages: []wire.Message{text(wire.RoleUser, "a"), text(wire.RoleSystem, "c"), text(wire.RoleUser, "d")}, want: `{"role":"user","content":"a"},{"role":"system","content":"c"},{"role":"user","content":"d"}`},
		{name: "results before folded text", model: "m", messages: []wire.Message{text(wire.RoleSystem, "c"), message(wire.RoleUser, wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "1", IsError: true, Content: []wire.Block{{Text: "no"}}}})}, want: `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"no","is_error":true},{"type":"text","text":"<system>\nc\n</system>"}]}`},
		{name: "empty text", model: "m", messages: []wire.Message{message(wire.RoleUser, wire.Block{Text: " "}, wire.Block{Text: "a"}), text(wire.RoleAssistant, "\n"), text(wire.RoleUser, "b")}, want: `{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`},
		{name: "prefill", model: "claude-sonnet-4-5", messages: []wire.Message{text(wire.RoleUser, "a"), text(wire.RoleAssistant, "b \n")}, want: `{"role":"user","content":"a"},{"role":"assistant","content":"b"}`},
		{name: "no prefill", model: "claude-opus-4-7", messages: []wire.Message{text(wire.RoleUser, "a"), text(wire.RoleAssistant, "b")}, failure: "does not go on with an answer"},
		{name: "a paused turn", model: "claude-opus-4-7", messages: []wire.Message{text(wire.RoleUser, "a"), message(wire.RoleAssistant, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"server_tool_use"}`}, wire.Block{Text: "b"})}, want: `{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"server_tool_use"},{"type":"text","text":"b"}]}`},
		{name: "another's raw block", model: "m", messages: []wire.Message{message(wire.RoleAssistant, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"web_search_call"}`})}, failure: "a web_search_call block of the openai API alone cannot be sent to model 'm'"},
		{name: "audio", model: "m", messages: []wire.Message{message(wire.RoleUser, media(wire.AudioBlock, wire.Media{Data: "AA=="}))}, failure: "audio content cannot be sent"},
		{name: "thinking of its own", model: "m", messages: []wire.Message{message(wire.RoleAssistant, own, wire.Block{Type: wire.RedactedBlock, Signature: "d", Vendor: wire.VendorAnthropic}, call("1", `{"a": 1}`))}, want: `{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"1","name":"f","input":{"a": 1}}]}`},
		{name: "thinking of others", model: "m", messages: []wire.Message{message(wire.RoleAssistant, wire.Block{Type: wire.ThinkingBlock, Text: "hm"}, wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorOpenAI}, wire.Block{Text: "a"})}, want: `{"role":"assistant","content":"a"}`, lost: "thinking"},
		{name: "citations", model: "m", messages: []wire.Message{text(wire.RoleUser, "q"), message(wire.RoleAssistant, wire.Block{Text: "a", Citations: []wire.Citation{{URL: "u"}}}), text(wire.RoleUser, "b")}, want: `{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"b"}`, lost: "citations"},
		{name: "arguments", model: "m", messages: []wire.Message{message(wire.RoleAssistant, call("1", ""), call("2", `{"a":`), call("3", "null"), wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "4", Name: "p", Arguments: "x\"", Custom: true}})}, want: `{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"f","input":{"_raw":"{\"a\":"}},{"type":"tool_use","id":"3","name":"f","input":{}},{"type":"tool_use","id":"4","name":"p","input":{"input":"x\""}}]}`},
		{name: "images", model: "m", messages: []wire.Message{message(wire.RoleUser, media(wire.ImageBlock, wire.Media{MIME: "image/png", Data: "AA=="}), media(wire.ImageBlock, wire.Media{URL: "https://x/y", Detail: "low"}))}, want: `{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},{"type":"image","source":{"type":"url","url":"https://x/y"}}]}`, lost: "detail"},
		{name: "an image of another type", model: "m", messages: []wire.Message{message(wire.RoleUser, media(wire.ImageBlock, wire.Media{MIME: "image/tiff", Data: "AA=="}))}, failure: "an image of type 'image/tiff' cannot be sent"},
		{name: "documents", model: "m", messages: []wire.Message{message(wire.RoleUser, media(wire.DocumentBlock, wire.Media{MIME: "application/pdf", Data: "AA==", Name: "n", Cite: true}), media(wire.DocumentBlock, wire.Media{MIME: "text/markdown", Data: "aGk="}))}, want: `{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="},"title":"n","citations":{"enabled":true}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"}}]}`},
		{name: "another's file", model: "m", messages: []wire.Message{message(wire.RoleUser, media(wire.DocumentBlock, wire.Media{FileID: "file-1"}))}, failure: "a file that another provider keeps cannot be sent"},
		{name: "an image as a result", model: "m", messages: []wire.Message{message(wire.RoleUser, wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "a.b", Content: []wire.Block{{Text: ""}, media(wire.ImageBlock, wire.Media{MIME: "image/png", Data: "AA=="})}}})}, want: `{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + wire.SafeCallID("a.b") + `","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}`},
		{name: "an empty result", model: "m", messages: []wire.Message{message(wire.RoleUser, wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "1"}})}, want: `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := &wire.Request{Model: tt.model, MaxTokens: 9, Messages: tt.messages}
			loss := wire.NewLoss(req)
			got, err := anthropic.Codec{}.EncodeRequest(nil, req, loss)
			if tt.failure != "" {
				var f *wire.Failure
				if !errors.As(err, &f) || f.Kind != wire.KindInvalid || !strings.Contains(f.Message, tt.failure) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := `{"model":"` + tt.model + `","messages":[` + tt.want + `],"max_tokens":9}`
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
			if loss.String() != tt.lost {
				t.Errorf("lost %q, want %q", loss, tt.lost)
			}
		})
	}
}

// TestThinkingNeedsItsTurn checks that a budget is not asked for in a loop of
// tools that began without thinking, which the vendor refuses.
func TestThinkingNeedsItsTurn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  wire.Block
		thinks bool
	}{
		{"without thinking", wire.Block{Text: "a"}, false},
		{"another's thinking", wire.Block{Type: wire.ThinkingBlock, Text: "a", Signature: "s", Vendor: wire.VendorGemini}, false},
		{"its own", wire.Block{Type: wire.ThinkingBlock, Text: "a", Signature: "s", Vendor: wire.VendorAnthropic}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			messages := append(hello(),
				wire.Message{Role: wire.RoleAssistant, Blocks: []wire.Block{tt.first, {Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: "f"}}}},
				wire.Message{Role: wire.RoleUser, Blocks: []wire.Block{{Type: wire.ResultBlock, Result: &wire.Result{CallID: "1"}}}})
			req := &wire.Request{Model: "claude-sonnet-4-5", Messages: messages, Reasoning: wire.Reasoning{Effort: "low"}}
			loss := wire.NewLoss(req)
			got, err := anthropic.Codec{}.EncodeRequest(nil, req, loss)
			if err != nil || strings.Contains(string(got), `"budget_tokens"`) != tt.thinks || strings.Contains(loss.String(), "reasoning_effort") == tt.thinks {
				t.Errorf("error %v, lost %q\n%s", err, loss, got)
			}
		})
	}
}

func TestCacheMarks(t *testing.T) {
	hour, short, plain := &wire.CacheMark{TTL: "1h"}, &wire.CacheMark{TTL: "5m"}, &wire.CacheMark{}
	mark := func(m *wire.CacheMark) *wire.CacheMark { c := *m; return &c }
	for _, tt := range []struct {
		name  string
		req   wire.Request
		marks []string // in the order of the bytes: system, tools, messages, the rest
	}{
		{"order of lifetimes", wire.Request{
			System: []wire.Block{{Text: "s", Cache: mark(hour)}},
			Tools:  []wire.Tool{{Name: "f", Cache: mark(hour)}},
		}, []string{`{"type":"ephemeral","ttl":"1h"}`, `{"type":"ephemeral","ttl":"1h"}`}},
		{"tools come first", wire.Request{
			System: []wire.Block{{Text: "s", Cache: mark(hour)}},
			Tools:  []wire.Tool{{Name: "f", Cache: mark(short)}},
		}, []string{`{"type":"ephemeral","ttl":"5m"}`, `{"type":"ephemeral","ttl":"5m"}`}},
		{"too many", wire.Request{
			System: []wire.Block{{Text: "s", Cache: mark(plain)}, {Text: "t", Cache: mark(short)}},
			Tools:  []wire.Tool{{Name: "f", Cache: mark(hour)}, {Name: "g", Cache: mark(hour)}},

			CacheAuto: mark(plain),
		}, []string{`{"type":"ephemeral"}`, `{"type":"ephemeral","ttl":"5m"}`, `{"type":"ephemeral","ttl":"1h"}`, `{"type":"ephemeral"}`}},
		{"marks in raw JSON count", wire.Request{
			System: []wire.Block{{Text: "s", Cache: mark(short)}, {Text: "t", Cache: mark(plain)}},
			Tools:  []wire.Tool{{Name: "a", Vendor: wire.VendorAnthropic, Raw: `{"cache_control":1,"b":{"cache_control":2},"c":{"cache_control":3}}`}},
		}, []string{`{"type":"ephemeral"}`, `1`, `2`, `3`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := tt.req
			req.Messages = hello()
			got, err := anthropic.Codec{}.EncodeRequest(nil, &req, wire.NewLoss(&req))
			if err != nil {
				t.Fatal(err)
			}
			var marks []string
			for _, part := range strings.Split(string(got), `"cache_control":`)[1:] {
				end := 1
				if part[0] == '{' {
					end = strings.IndexByte(part, '}') + 1
				}
				marks = append(marks, part[:end])
			}
			if diff := cmp.Diff(tt.marks, marks); diff != "" {
				t.Errorf("%s\n%s", diff, got)
			}
		})
	}
}
