package anthropic_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
)

func TestDecodeRequest(t *testing.T) {
	sealed := wire.Seal(wire.VendorGemini, "", "sig")
	foreign := wire.Seal(wire.VendorOpenAI, "rs_1", "enc")
	in := `{"model":"m","max_tokens":5,"stream":true,"temperature":0.50,"top_p":1,"top_k":3,"stop_sequences":["x"],
"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
"tools":[{"name":"f","description":"d","input_schema":{"type": "object"},"strict":true,"cache_control":{"type":"ephemeral"},"defer_loading":true},{"type":"web_search_20260318","name":"web_search"}],
"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"},
"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"a": 1}},"task_budget":7},
"metadata":{"user_id":"u","x":1},"service_tier":"standard_only","cache_control":{"type":"ephemeral","ttl":"5m"},"mcp_servers":[1],
"messages":[
 {"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"u"}},{"type":"document","title":"t","context":"c","citations":{"enabled":true},"source":{"type":"content","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}}]},
 {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"own"},{"type":"thinking","thinking":"oh","signature":"` + foreign + `"},{"type":"redacted_thinking","data":"r"},{"type":"thinking","thinking":"","signature":"` + sealed + `"},{"type":"tool_use","id":"1","name":"f","input":{"b": [1,2.0]}},{"type":"server_tool_use","id":"2"}]},
 {"role":"user","content":[{"type":"text","text":"more"},{"type":"tool_result","tool_use_id":"1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"tool_reference","tool_name":"x"}]}]},
 {"role":"system","content":"mind"}
]}`
	want := &wire.Request{
		Model: "m", Stream: true, IncludeUsage: true, MaxTokens: 5, Temperature: "0.50", TopP: "1", TopK: "3", Stop: []string{"x"},
		System: []wire.Block{{Text: "s", Cache: &wire.CacheMark{TTL: "1h"}}},
		Tools: []wire.Tool{
			{Name: "f", Description: "d", Schema: `{"type": "object"}`, Strict: wire.Yes, Cache: &wire.CacheMark{}},
			{Name: "web_search", Vendor: wire.VendorAnthropic, Raw: `{"type":"web_search_20260318","name":"web_search"}`},
		},
		ToolChoice: wire.ToolChoice{Mode: "named", Name: "f"}, ParallelTools: wire.No,
		Reasoning:   wire.Reasoning{Mode: "on", Budget: 2000, Effort: "low", Show: "none"},
		Format:      wire.Format{Kind: "json_schema", Schema: `{"a": 1}`},
		User:        "u",
		ServiceTier: "default",
		CacheAuto:   &wire.CacheMark{TTL: "5m"},
		Dialect:     wire.Anthropic,
		Spelling: map[string]string{
			"stop": "stop_sequences", "user": "metadata.user_id", "reasoning_effort": "thinking",
			"response_format": "output_config.format", "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
		},
		Extra: []wire.Extra{
			{Name: "tools[f].defer_loading", Raw: "true"},
			{Name: "output_config.task_budget", Raw: "7"},
			{Name: "metadata.x", Raw: "1"},
			{Name: "mcp_servers", Raw: "[1]"},
			{Name: "messages[0].content[3].context", Raw: `"c"`},
		},
		Messages: []wire.Message{
			{Role: wire.RoleUser, Blocks: []wire.Block{
				{Text: "a"},
				{Type: wire.ImageBlock, Media: &wire.Media{URL: "u"}},
				{Type: wire.DocumentBlock, Media: &wire.Media{MIME: "text/plain", Text: "1\n2", Name: "t", Cite: true}},
			}},
			{Role: wire.RoleAssistant, Blocks: []wire.Block{
				{Type: wire.ThinkingBlock, Text: "hm", Signature: "own", Vendor: wire.VendorAnthropic},
				{Type: wire.ThinkingBlock, Text: "oh", Signature: "enc", Vendor: wire.VendorOpenAI, ID: "rs_1"},
				{Type: wire.RedactedBlock, Signature: "r", Vendor: wire.VendorAnthropic},
				{Type: wire.CallBlock, Signature: "sig", Vendor: wire.VendorGemini, Call: &wire.Call{ID: "1", Name: "f", Arguments: `{"b": [1,2.0]}`}},
				{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"server_tool_use","id":"2"}`},
			}},
			{Role: wire.RoleUser, Blocks: []wire.Block{
				{Type: wire.ResultBlock, Result: &wire.Result{CallID: "1", Name: "f", IsError: true, Content: []wire.Block{
					{Text: "no"},
					{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"tool_reference","tool_name":"x"}`},
				}}},
				{Text: "more"},
			}},
			{Role: wire.RoleSystem, Blocks: []wire.Block{{Text: "mind"}}},
		},
	}
	got, err := anthropic.Codec{}.DecodeRequest([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestDecodeOptions checks single members, and that what has no place comes
// back for the same dialect.
func TestDecodeOptions(t *testing.T) {
	for _, tt := range []struct {
		name, member string
		want         wire.Request
		again        string // "": member
	}{
		{"between tools", `"thinking":{"type":"between_tools"}`, wire.Request{Reasoning: wire.Reasoning{Mode: "adaptive"}, Extra: []wire.Extra{{Name: "thinking", Raw: `{"type":"between_tools"}`}}}, ""},
		{"disabled", `"thinking":{"type":"disabled"}`, wire.Request{Reasoning: wire.Reasoning{Mode: "off"}}, ""},
		{"summarized", `"thinking":{"type":"adaptive","display":"summarized"}`, wire.Request{Reasoning: wire.Reasoning{Mode: "adaptive", Show: "auto"}}, ""},
		{"an effort alone", `"output_config":{"effort":"max"}`, wire.Request{Reasoning: wire.Reasoning{Effort: "max"}}, ""},
		{"warming the cache", `"max_tokens":0`, wire.Request{Extra: []wire.Extra{{Name: "max_tokens", Raw: "0"}}}, ""},
		{"the beta's schema", `"output_format":{"type":"json_schema","schema":{"type":"string"}}`, wire.Request{Format: wire.Format{Kind: "json_schema", Schema: `{"type":"string"}`}}, `"output_config":{"format":{"type":"json_schema","schema":{"type":"string"}}}`},
		{"unknown", `"a\"b":{"c":1}`, wire.Request{Extra: []wire.Extra{{Name: `a"b`, Raw: `{"c":1}`}}}, ""},
		{"a tier", `"service_tier":"auto"`, wire.Request{ServiceTier: "auto"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := anthropic.Codec{}.DecodeRequest([]byte(`{"model":"m",` + helloJSON + `,` + tt.member + `}`))
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Model, tt.want.Messages, tt.want.Dialect, tt.want.IncludeUsage = "m", hello(), wire.Anthropic, true
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(wire.Request{}, "Spelling")); diff != "" {
				t.Error(diff)
			}
			again, err := anthropic.Codec{}.EncodeRequest(nil, got, wire.NewLoss(got))
			if err != nil {
				t.Fatal(err)
			}
			if tt.again == "" {
				tt.again = tt.member
			}
			prefix := `{"model":"m",` + helloJSON + `,"max_tokens":8192,`
			if tt.member == `"max_tokens":0` {
				prefix = `{"model":"m",` + helloJSON + `,`
			}
			if want := prefix + tt.again + `}`; string(again) != want {
				t.Errorf("again\n%s, want\n%s", again, want)
			}
		})
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for _, tt := range []struct{ name, body, param string }{
		{"no object", `[]`, ""},
		{"a model that is no string", `{"model":1}`, "model"},
		{"a cap that is no number", `{"max_tokens":"5"}`, "max_tokens"},
		{"half a token", `{"max_tokens":0.5}`, "max_tokens"},
		{"messages", `{"messages":{}}`, "messages"},
		{"a role", `{"messages":[{"role":"tool","content":"x"}]}`, "messages[0].role"},
		{"content", `{"messages":[{"role":"user","content":1}]}`, "messages[0].content"},
		{"a block", `{"messages":[{"role":"user","content":["x"]}]}`, "messages[0].content[0]"},
		{"a text", `{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, "messages[0].content[0].text"},
		{"a call without an id", `{"messages":[{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}]}`, "messages[0].content[0]"},
		{"a call without a name", `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","input":{}}]}]}`, "messages[0].content[0]"},
		{"a source", `{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"x"}}]}]}`, "messages[1].content[1].source"},
		{"data", `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}]}`, "messages[0].content[0].source.data"},
		{"a call in a result", `{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"tool_use","id":"a","name":"b"}]}]}]}`, "messages[0].content[0].content[0]"},
		{"system", `{"system":[{"type":"image","source":{"type":"url","url":"x"}}]}`, "system"},
		{"a tool's schema", `{"tools":[{"name":"f","input_schema":true}]}`, "tools[f].input_schema"},
		{"a choice", `{"tool_choice":{"type":"x"}}`, "tool_choice.type"},
		{"thinking", `{"thinking":{"type":"x"}}`, "thinking.type"},
		{"stop", `{"stop_sequences":"x"}`, "stop_sequences"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := anthropic.Codec{}.DecodeRequest([]byte(tt.body))
			var f *wire.Failure
			if !errors.As(err, &f) || f.Kind != wire.KindInvalid || f.Param != tt.param || f.Message == "" {
				t.Errorf("error %+v", err)
			}
		})
	}
}
