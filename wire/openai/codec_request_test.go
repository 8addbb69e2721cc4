package openai_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

func user(blocks ...wire.Block) wire.Message { return wire.Message{Blocks: blocks} }

func assistant(blocks ...wire.Block) wire.Message {
	return wire.Message{Role: wire.RoleAssistant, Blocks: blocks}
}

// answered is the result of a call.
func answered(id, name string, content ...wire.Block) wire.Block {
	return wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: id, Name: name, Content: content}}
}

func TestDecodeRequest(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Request
	}{
		{
			"system and developer first", `{"messages":[{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"},{"role":"system","content":"d"}]}`,
			wire.Request{System: []wire.Block{{Text: "a"}, {Text: "b"}}, Messages: []wire.Message{user(wire.Block{Text: "c"}), {Role: wire.RoleSystem, Blocks: []wire.Block{{Text: "d"}}}}},
		},
		{
			"tool results", `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"b\":1,\"a\":2}"}},{"id":"2","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"1","content":"x"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`,
			wire.Request{Messages: []wire.Message{assistant(call("1", "f", `{"b":1,"a":2}`), call("2", "g", "")), user(answered("1", "f", wire.Block{Text: "x"}), answered("2", "g", wire.Block{Text: "y"}), wire.Block{Text: "z"})}},
		},
		{
			"functions of old", `{"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},"messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"x"}]}`,
			wire.Request{
				Tools: []wire.Tool{{Name: "f", Schema: `{"type":"object"}`}}, ToolChoice: wire.ToolChoice{Mode: "named", Name: "f"}, ParallelTools: wire.No,
				Messages: []wire.Message{assistant(call("call_f0", "f", "{}")), user(answered("call_f0", "f", wire.Block{Text: "x"}))},
			},
		},
		{
			"media", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://a/b"}},{"type":"input_audio","input_audio":{"data":"BB","format":"mp3"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,CC","filename":"n.pdf"}},{"type":"file","file":{"file_id":"file-1"}},{"type":"file","file":{"file_data":"DDDD"}},{"type":"novelty","x":1}]}]}`,
			wire.Request{Messages: []wire.Message{user(
				wire.Block{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: "AAAA", Detail: "low"}},
				wire.Block{Type: wire.ImageBlock, Media: &wire.Media{URL: "https://a/b"}},
				wire.Block{Type: wire.AudioBlock, Media: &wire.Media{MIME: "audio/mpeg", Data: "BB"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{MIME: "application/pdf", Data: "CC", Name: "n.pdf"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{FileID: "file-1"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{MIME: "application/pdf", Data: "DDDD"}},
				wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"novelty","x":1}`},
			)}},
		},
		{
			"thinking that comes back", `{"messages":[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":1}],"reasoning_content":"t"}]}`,
			wire.Request{Messages: []wire.Message{assistant(wire.Block{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}, wire.Block{Type: wire.RedactedBlock, Signature: "r", Vendor: wire.VendorAnthropic}, wire.Block{Text: "a"})}},
		},
		{
			"thinking in the pieces of a stream", `{"messages":[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"t","index":0},{"type":"reasoning.text","text":"u","index":0},{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0}]}]}`,
			wire.Request{Messages: []wire.Message{assistant(wire.Block{Type: wire.ThinkingBlock, Text: "tu", Signature: "s", Vendor: wire.VendorAnthropic}, wire.Block{Text: "a"})}},
		},
		{
			"a signature beside its text", `{"messages":[{"role":"assistant","content":"a","reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"","signature":"s","format":"anthropic-claude-v1","index":0}]}]}`,
			wire.Request{Messages: []wire.Message{assistant(wire.Block{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}, wire.Block{Text: "a"})}},
		},
		{
			"litellm's thinking", `{"messages":[{"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"r"}]}]}`,
			wire.Request{Messages: []wire.Message{assistant(wire.Block{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}, wire.Block{Type: wire.RedactedBlock, Signature: "r", Vendor: wire.VendorAnthropic}, wire.Block{Text: "a"})}},
		},
		{
			"gemini's signature", `{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]}]}`,
			wire.Request{Messages: []wire.Message{assistant(wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: "f", Arguments: "{}"}, Signature: "s", Vendor: wire.VendorGemini})}},
		},
		{
			"cache marks", `{"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"assistant","content":"c","cache_control":{"type":"ephemeral"}}]}`,
			wire.Request{
				Tools:    []wire.Tool{{Name: "f", Cache: &wire.CacheMark{}}},
				Messages: []wire.Message{user(wire.Block{Text: "a", Cache: &wire.CacheMark{}}, wire.Block{Text: "b", Cache: &wire.CacheMark{TTL: "1h"}}), assistant(wire.Block{Text: "c", Cache: &wire.CacheMark{}})},
			},
		},
		{
			"parameters", `{"model":"m","max_tokens":5,"max_completion_tokens":7,"temperature":0.70,"top_p":1.0,"n":2,"stop":"s","seed":9007199254740993,"logprobs":true,"top_logprobs":2,"reasoning_effort":"low","verbosity":"high","user":"u","metadata":{"k":"v"},"service_tier":"flex","store":false,"parallel_tool_calls":false,"prompt_cache_key":"k","stream":true,"stream_options":{"include_usage":true},"modalities":["text","audio"],"audio":{"voice":"v"},"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"z":1,"a":2},"strict":true}},"messages":[]}`,
			wire.Request{
				Model: "m", MaxTokens: 7, Temperature: "0.70", TopP: "1.0", Choices: 2, Stop: []string{"s"}, Seed: "9007199254740993", LogProbs: true, TopLogProbs: "2",
				Reasoning: wire.Reasoning{Effort: "low"}, Verbosity: "high", User: "u", Metadata: `{"k":"v"}`, ServiceTier: "flex", Store: wire.No, ParallelTools: wire.No, CacheKey: "k",
				Stream: true, IncludeUsage: true, Modalities: []string{"text", "audio"}, Extra: []wire.Extra{{Name: "audio", Raw: `{"voice":"v"}`}},
				Format: wire.Format{Kind: "json_schema", Name: "n", Schema: `{"z":1,"a":2}`, Strict: wire.Yes},
			},
		},
		{"openrouter's reasoning", `{"reasoning":{"max_tokens":2000,"exclude":true},"messages":[]}`, wire.Request{Reasoning: wire.Reasoning{Budget: 2000, Show: "none"}}},
		{"thinking switched off", `{"thinking":{"type":"disabled"},"messages":[]}`, wire.Request{Reasoning: wire.Reasoning{Mode: "off"}}},
		{"a name", `{"messages":[{"role":"user","name":"n","content":"a"}]}`, wire.Request{Messages: []wire.Message{user(wire.Block{Text: "a"})}, Extra: []wire.Extra{{Name: "messages[0].name", Raw: `"n"`}}}},
		{
			"neighbours", `{"messages":[{"role":"assistant","content":"a","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"assistant","content":"b"}]}`,
			wire.Request{Messages: []wire.Message{assistant(wire.Block{Text: "a"}, wire.Block{Text: "b"}, call("1", "f", "{}"))}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := openai.Codec{}.DecodeRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(wire.Request{}, "Dialect", "Spelling")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	for _, tt := range []struct {
		codec       wire.Codec
		body, param string
	}{
		{openai.Codec{}, `{}`, "messages"},
		{openai.Codec{}, `{"messages":"a"}`, "messages"},
		{openai.Codec{}, `{"messages":[1]}`, "messages[0]"},
		{openai.Codec{}, `{"messages":[{"content":"a"}]}`, "messages[0].role"},
		{openai.Codec{}, `{"messages":[{"role":"king","content":"a"}]}`, "messages[0].role"},
		{openai.Codec{}, `{"messages":[{"role":"user","content":1}]}`, "messages[0].content"},
		{openai.Codec{}, `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}}]}]}`, "messages[0].content[1]"},
		{openai.Codec{}, `{"messages":[{"role":"user","content":[{"text":"a"}]}]}`, "messages[0].content[0]"},
		{openai.Codec{}, `{"messages":[{"role":"system","content":[{"type":"image_url","image_url":"https://a"}]}]}`, "messages[0].content"},
		{openai.Codec{}, `{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{}}]}]}`, "messages[0].tool_calls[0].function.name"},
		{openai.Codec{}, `{"messages":[],"temperature":"hot"}`, "temperature"},
		{openai.Codec{}, `{"messages":[],"n":0}`, "n"},
		{openai.Codec{}, `{"messages":[],"stop":[1]}`, "stop[0]"},
		{openai.Codec{}, `{"messages":[],"tools":[{"type":"function","function":{}}]}`, "tools[0].function.name"},
		{openai.Codec{}, `{"messages":[],"tool_choice":"perhaps"}`, "tool_choice"},
		{openai.Codec{}, `{"messages":[],"response_format":{"type":"json_schema"}}`, "response_format.json_schema"},
		{openai.CompletionsCodec{}, `{}`, "prompt"},
		{openai.CompletionsCodec{}, `{"prompt":["a","b"]}`, "prompt"},
		{openai.CompletionsCodec{}, `{"prompt":[1,2]}`, "prompt"},
		{openai.CompletionsCodec{}, `{"prompt":[[1]]}`, "prompt"},
		{openai.CompletionsCodec{}, `{"prompt":"a","echo":true}`, "echo"},
		{openai.CompletionsCodec{}, `{"prompt":"a","suffix":"b"}`, "suffix"},
		{openai.CompletionsCodec{}, `{"prompt":"a","best_of":2}`, "best_of"},
	} {
		t.Run(tt.param+" "+tt.body, func(t *testing.T) {
			_, err := tt.codec.DecodeRequest([]byte(tt.body))
			var f *wire.Failure
			if !errors.As(err, &f) || f.Kind != wire.KindInvalid || f.Param != tt.param || !strings.Contains(f.Message, strings.TrimSuffix(tt.param, "[0]")) && tt.param != "messages[0].role" {
				t.Errorf("%+v", err)
			}
		})
	}
}

func TestEncodeRequest(t *testing.T) {
	claude := func(blocks ...wire.Block) *wire.Request {
		return &wire.Request{Model: "m", Dialect: wire.Anthropic, Messages: []wire.Message{user(wire.Block{Text: "q"}), assistant(blocks...)}}
	}
	signed := wire.Block{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}
	question := `{"role":"user","content":"q"}`
	long := strings.Repeat("x", 65)
	for _, tt := range []struct {
		name       string
		codec      openai.Codec
		req        *wire.Request
		want, lost string
	}{
		{"the order", openai.Codec{}, &wire.Request{
			Model: "m", Stream: true, MaxTokens: 5, System: []wire.Block{{Text: "a"}, {Text: "b"}}, Temperature: "0.50", Stop: []string{"x"}, TopK: "3", Choices: 1,
			Tools:      []wire.Tool{{Name: "f", Description: "d", Schema: `{"type":"object","properties":{"b":1,"a":2}}`, Strict: wire.No}, {Name: "web_search", Raw: `{}`, Vendor: wire.VendorAnthropic}},
			ToolChoice: wire.ToolChoice{Mode: "named", Name: "f"}, ParallelTools: wire.No, Messages: []wire.Message{user(wire.Block{Text: "c"}, wire.Block{Text: "d"})},
			Extra: []wire.Extra{{Name: "container", Raw: "1"}}, Spelling: map[string]string{"tools[web_search]": "tools[1]"}, Dialect: wire.Anthropic,
		}, `{"model":"m","tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"b":1,"a":2}},"strict":false}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"messages":[{"role":"system","content":"a\nb"},{"role":"user","content":"c\nd"}],"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":5,"temperature":0.50,"stop":["x"],"n":1}`, "tools[1], top_k, container"},
		{"another server", openai.Codec{CapParam: "max_tokens", NoStreamOptions: true}, &wire.Request{Model: "m", Stream: true, MaxTokens: 5}, `{"model":"m","messages":[],"stream":true,"max_tokens":5}`, ""},
		{
			"results without words",
			openai.Codec{},
			&wire.Request{Model: "m", Messages: []wire.Message{user(answered("1", "f"), wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "2", IsError: true}}, answered("3", "f", wire.Block{Type: wire.ImageBlock, Media: &wire.Media{URL: "u"}}), wire.Block{Text: "go on"})}},
			`{"model":"m","messages":[{"role":"tool","tool_call_id":"1","content":"(no output)"},{"role":"tool","tool_call_id":"2","content":"(the tool failed)"},{"role":"tool","tool_call_id":"3","content":"(the output is attached below)"},` +
				`{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"go on"}]}]}`, "",
		},
		{
			"marks for claude",
			openai.Codec{},
			&wire.Request{Model: "anthropic/claude-sonnet-4-5", Messages: []wire.Message{user(wire.Block{Text: "a", Cache: &wire.CacheMark{TTL: "1h"}}, wire.Block{Text: "b", Cache: &wire.CacheMark{}})}},
			`{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}`, "",
		},
		{"a strict tool", openai.Codec{}, &wire.Request{Model: "m", Tools: []wire.Tool{
			{Name: "f", Strict: wire.Yes, Schema: `{"type": "object","properties":{"a":{"type":"object","properties":{}}},"required":["a"]}`},
			{Name: "g", Strict: wire.Yes},
			{Name: "h", Strict: wire.Yes, Schema: `{"type":"object","properties":{"a":{},"b":{}},"required":["a"]}`},
			{Name: "i", Strict: wire.Yes, Schema: `{"type":"object","additionalProperties":{"type":"string"}}`},
		}}, `{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"type": "object","properties":{"a":{"type":"object","properties":{},"additionalProperties":false}},"required":["a"],"additionalProperties":false},"strict":true}},` +
			`{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{},"additionalProperties":false},"strict":true}},{"type":"function","function":{"name":"h","parameters":{"type":"object","properties":{"a":{},"b":{}},"required":["a"]}}},` +
			`{"type":"function","function":{"name":"i","parameters":{"type":"object","additionalProperties":{"type":"string"},"properties":{}}}}],"messages":[]}`, "tools[h].strict, tools[i].strict"},
		{
			"tools that take nothing",
			openai.Codec{},
			&wire.Request{Model: "m", Tools: []wire.Tool{{Name: "f", Schema: `{"type":"object"}`}, {Name: "g", Schema: `{}`}, {Name: "h", Schema: `{"$schema":"x"}`}, {Name: "i", Schema: `{"type":"object"}`, Strict: wire.Yes}, {Name: "j"}, {Name: "k", Schema: `{"anyOf":[{"type":"object"}]}`, Strict: wire.Yes}}},
			`{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}},` +
				`{"type":"function","function":{"name":"h","parameters":{"type":"object","$schema":"x","properties":{}}}},{"type":"function","function":{"name":"i","parameters":{"type":"object","properties":{},"additionalProperties":false},"strict":true}},` +
				`{"type":"function","function":{"name":"j"}},{"type":"function","function":{"name":"k","parameters":{"type":"object","anyOf":[{"type":"object"}]}}}],"messages":[]}`, "tools[k].strict",
		},
		{"mistral", openai.Codec{SeedParam: "random_seed", ShortCallIDs: true}, &wire.Request{Model: "m", Seed: "7", Dialect: wire.Anthropic, Messages: []wire.Message{
			assistant(call("toolu_01A", "f", ""), call("D681PevKs", "f", "")), user(answered("toolu_01A", "f", wire.Block{Text: "r"}), answered("D681PevKs", "f", wire.Block{Text: "s"})),
		}}, `{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"` + wire.ShortCallID("toolu_01A") + `","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"D681PevKs","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
			`{"role":"tool","tool_call_id":"` + wire.ShortCallID("toolu_01A") + `","content":"r"},{"role":"tool","tool_call_id":"D681PevKs","content":"s"}],"random_seed":7}`, ""},
		{"a reasoning model", openai.Codec{}, &wire.Request{Model: "gpt-5", Temperature: "1.0", TopP: "0.5", Stop: []string{"x"}, Reasoning: wire.Reasoning{Budget: 4096}}, `{"model":"gpt-5","messages":[],"reasoning_effort":"medium"}`, "top_p, stop"},
		{"alternatives to words that are not asked for", openai.Codec{}, &wire.Request{Model: "m", TopLogProbs: "2"}, `{"model":"m","messages":[]}`, "top_logprobs"},
		{"alternatives to words", openai.Codec{}, &wire.Request{Model: "m", LogProbs: true, TopLogProbs: "2"}, `{"model":"m","messages":[],"logprobs":true,"top_logprobs":2}`, ""},
		{"no thinking", openai.Codec{}, &wire.Request{Model: "gpt-5.1", Reasoning: wire.Reasoning{Mode: "off"}}, `{"model":"gpt-5.1","messages":[],"reasoning_effort":"none"}`, ""},
		{"no thinking where it cannot be said", openai.Codec{}, &wire.Request{Model: "gpt-5", Reasoning: wire.Reasoning{Mode: "off"}}, `{"model":"gpt-5","messages":[]}`, "reasoning_effort"},
		{"a long user", openai.Codec{}, &wire.Request{Model: "m", User: long}, `{"model":"m","messages":[],"user":"9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"}`, ""},
		{"results and their images", openai.Codec{}, &wire.Request{Model: "m", Dialect: wire.Anthropic, Messages: []wire.Message{
			assistant(call(strings.Repeat("i", 41), "f", "")),
			user(answered(strings.Repeat("i", 41), "f", wire.Block{Text: "r"}, wire.Block{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: "AA"}}), wire.Block{Text: "q"}),
		}}, `{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call_2f53ab97230bb0423a8164fc990fad9e","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_2f53ab97230bb0423a8164fc990fad9e","content":"r"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},{"type":"text","text":"q"}]}]}`, ""},
		{"thinking of another vendor", openai.Codec{}, claude(signed, wire.Block{Text: "a"}), `{"model":"m","messages":[` + question + `,{"role":"assistant","content":"a"}]}`, "thinking"},
		{"thinking wanted back", openai.Codec{Reasoning: true}, claude(signed, wire.Block{Text: "a"}), `{"model":"m","messages":[` + question + `,{"role":"assistant","reasoning_content":"t","content":"a"}]}`, ""},
		{"a refusal", openai.Codec{}, claude(wire.Block{Type: wire.RefusalBlock, Text: "no"}), `{"model":"m","messages":[` + question + `,{"role":"assistant","content":null,"refusal":"no"}]}`, ""},
		{"marks that OpenAI has", openai.Codec{}, &wire.Request{Model: "gpt-6-sol", Messages: []wire.Message{user(wire.Block{Text: "a", Cache: &wire.CacheMark{TTL: "5m"}})}}, `{"model":"gpt-6-sol","messages":[{"role":"user","content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]}]}`, ""},
		{"marks for an hour", openai.Codec{}, &wire.Request{Model: "gpt-6-sol", Messages: []wire.Message{user(wire.Block{Text: "a", Cache: &wire.CacheMark{TTL: "1h"}})}}, `{"model":"gpt-6-sol","messages":[{"role":"user","content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]}],"prompt_cache_options":{"ttl":"12h"}}`, ""},
		{"marks that nobody has", openai.Codec{}, &wire.Request{Model: "m", Messages: []wire.Message{user(wire.Block{Text: "a", Cache: &wire.CacheMark{}})}}, `{"model":"m","messages":[{"role":"user","content":"a"}]}`, "cache_control"},
		{"a custom tool elsewhere", openai.Codec{}, &wire.Request{Model: "m", Tools: []wire.Tool{{Name: "f", Custom: true}}}, `{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":` + wire.CustomSchema + `}}],"messages":[]}`, ""},
		{"a text document", openai.Codec{}, &wire.Request{Model: "m", Messages: []wire.Message{user(wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{Name: "n", Text: "a"}})}}, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"n:\na"}]}]}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loss := wire.NewLoss(tt.req)
			got, err := tt.codec.EncodeRequest(nil, tt.req, loss)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if loss.String() != tt.lost {
				t.Errorf("lost %q, not %q", loss, tt.lost)
			}
		})
	}
}

func TestSignaturesGoHome(t *testing.T) {
	signed := call("1", "f", "{}")
	signed.Signature, signed.Vendor = "s", wire.VendorGemini
	thinking := wire.Block{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}
	for _, tt := range []struct {
		name, model string
		block       wire.Block
		details     bool
		want        string
		lost        string
	}{
		{"gemini's own", "gemini-3-pro", signed, false, `"extra_content":{"google":{"thought_signature":"s"}}`, ""},
		{"gemini's elsewhere", "gpt-4o", signed, false, "", "thinking"},
		{"none for gemini", "gemini-3-pro", call("1", "f", "{}"), false, `"thought_signature":"skip_thought_signature_validator"`, ""},
		{"claude's by openrouter", "anthropic/claude-opus-5", thinking, true, `"reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0}]`, ""},
		{"claude's for another", "openai/gpt-6", thinking, true, "", "thinking"},
		{"gemini's by openrouter", "google/gemini-3-pro", signed, true, `"format":"google-gemini-v1"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := &wire.Request{Model: tt.model, Dialect: wire.Anthropic, Messages: []wire.Message{assistant(tt.block, wire.Block{Text: "a"})}}
			loss := wire.NewLoss(req)
			got, err := openai.Codec{Details: tt.details}.EncodeRequest(nil, req, loss)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), tt.want) || tt.want == "" && strings.Contains(string(got), `"s"`) {
				t.Errorf("%s", got)
			}
			if loss.String() != tt.lost {
				t.Errorf("lost %q, not %q", loss, tt.lost)
			}
		})
	}
}

func TestUnmappable(t *testing.T) {
	media := func(kind wire.BlockType, m wire.Media) wire.Block { return wire.Block{Type: kind, Media: &m} }
	for _, tt := range []struct {
		name string
		req  wire.Request
	}{
		{"a file of another vendor", wire.Request{Dialect: wire.Anthropic, Messages: []wire.Message{user(media(wire.DocumentBlock, wire.Media{FileID: "f"}))}}},
		{"an image of another vendor", wire.Request{Messages: []wire.Message{user(media(wire.ImageBlock, wire.Media{FileID: "f"}))}}},
		{"a document elsewhere", wire.Request{Messages: []wire.Message{user(media(wire.DocumentBlock, wire.Media{URL: "https://a"}))}}},
		{"video", wire.Request{Messages: []wire.Message{user(media(wire.VideoBlock, wire.Media{URL: "https://a"}))}}},
		{"a server tool's block", wire.Request{Messages: []wire.Message{assistant(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: "{}"})}}},
		{"kept state", wire.Request{State: []wire.Extra{{Name: "previous_response_id"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f *wire.Failure
			if _, err := (openai.Codec{}).EncodeRequest(nil, &tt.req, wire.NewLoss(&tt.req)); !errors.As(err, &f) || f.Kind != wire.KindInvalid || f.Param == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestCacheLifetime reads how long breakpoints are kept, which is said once for
// all of them and before or after them.
func TestCacheLifetime(t *testing.T) {
	const mark = `"prompt_cache_breakpoint":{"mode":"explicit"}`
	for ttl, want := range map[string]string{"30m": "5m", "12h": "1h", "x": ""} {
		body := `{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{}},` + mark + `}],"messages":[{"role":"user","content":[{"type":"text","text":"a",` + mark + `},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}],"prompt_cache_options":{"ttl":"` + ttl + `"}}`
		req, err := openai.Codec{}.DecodeRequest([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		blocks := req.Messages[0].Blocks
		if got := [...]string{req.Tools[0].Cache.TTL, blocks[0].Cache.TTL, blocks[1].Cache.TTL}; got != [...]string{want, want, ""} {
			t.Errorf("%s: %q", ttl, got)
		}
	}
}
