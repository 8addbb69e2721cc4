package bedrock_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/bedrock"
)

const (
	sonnet45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	opus46   = "anthropic.claude-opus-4-6"
	opus47   = "global.anthropic.claude-opus-4-7"
	haiku3   = "anthropic.claude-3-haiku-20240307-v1:0"
	nova     = "us.amazon.nova-lite-v1:0"
	nova2    = "us.amazon.nova-2-lite-v1:0"
	llama    = "meta.llama3-70b-instruct-v1:0"
	oss      = "openai.gpt-oss-120b-1:0"
	profile  = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
)

func text(s string) wire.Block { return wire.Block{Type: wire.TextBlock, Text: s} }

func user(blocks ...wire.Block) wire.Message {
	return wire.Message{Role: wire.RoleUser, Blocks: blocks}
}

func assistant(blocks ...wire.Block) wire.Message {
	return wire.Message{Role: wire.RoleAssistant, Blocks: blocks}
}

func call(id, name, arguments string) wire.Block {
	return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: name, Arguments: arguments}}
}

func result(id string, content ...wire.Block) wire.Block {
	return wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: id, Content: content}}
}

func media(t wire.BlockType, m wire.Media) wire.Block { return wire.Block{Type: t, Media: &m} }

// hi is a body's messages when nothing but a greeting is asked.
const hi = `"messages":[{"role":"user","content":[{"text":"hi"}]}]`

func TestEncodeRequest(t *testing.T) {
	weather := wire.Tool{Name: "weather", Description: "d", Schema: `{"type":"object","properties":{"b":{},"a":{}}}`}
	const weatherSpec = `{"toolSpec":{"name":"weather","description":"d","inputSchema":{"json":{"type":"object","properties":{"b":{},"a":{}}}}}}`
	mark := &wire.CacheMark{}
	hour := &wire.CacheMark{TTL: "1h"}
	signed := wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "sig", Vendor: wire.VendorAnthropic}
	for _, tt := range []struct {
		name  string
		model string // sonnet45 unless said
		req   wire.Request
		want  string
		lost  string
	}{
		{"sampling", "", wire.Request{MaxTokens: 5, Temperature: "0.50", Stop: []string{"a", " "}}, `{` + hi + `,"inferenceConfig":{"maxTokens":5,"temperature":0.50,"stopSequences":["a"]},"additionalModelResponseFieldPaths":["/stop_sequence"]}`, "stop"},
		{"one of temperature and top_p", "", wire.Request{Temperature: "0.5", TopP: "0.9"}, `{` + hi + `,"inferenceConfig":{"temperature":0.5}}`, "top_p"},
		{"a hot temperature", nova, wire.Request{Temperature: "1.5", TopP: "0.9"}, `{` + hi + `,"inferenceConfig":{"temperature":1,"topP":0.9}}`, "temperature"},
		{"no sampling on a new Claude", opus47, wire.Request{Temperature: "0.5", TopP: "1", TopK: "3"}, `{` + hi + `}`, "temperature, top_k"},
		{"top_k of Claude", "", wire.Request{TopK: "3"}, `{` + hi + `,"additionalModelRequestFields":{"top_k":3}}`, ""},
		{"top_k of Nova", nova, wire.Request{TopK: "3"}, `{` + hi + `,"additionalModelRequestFields":{"inferenceConfig":{"topK":3}}}`, ""},
		{"top_k of others", llama, wire.Request{TopK: "3"}, `{` + hi + `}`, "top_k"},
		{"what there is no place for", llama, wire.Request{Choices: 2, Seed: "1", FrequencyPenalty: "1", PresencePenalty: "1", LogitBias: `{"1":2}`, LogProbs: true, TopLogProbs: "2", Verbosity: "low", Modalities: []string{"audio"}, User: "u", CacheKey: "k", CacheOptions: "{}", Store: wire.Yes, ParallelTools: wire.No, Extra: []wire.Extra{{Name: "logit_x", Raw: "1"}}}, `{` + hi + `}`, "logit_x, n, seed, frequency_penalty, presence_penalty, logit_bias, logprobs, top_logprobs, verbosity, modalities, user, prompt_cache_key, prompt_cache_options, store"},
		{"service tier and labels", "", wire.Request{ServiceTier: "flex", Metadata: `{"a":"b c"}`}, `{` + hi + `,"requestMetadata":{"a":"b c"},"serviceTier":{"type":"flex"}}`, ""},
		{"an unknown tier and an illegal label", "", wire.Request{ServiceTier: "scale", Metadata: `{"a":"é"}`}, `{` + hi + `}`, "metadata, service_tier"},
		{"a schema", "", wire.Request{Format: wire.Format{Kind: "json_schema", Name: "n", Schema: `{"type":"object"}`}}, `{` + hi + `,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"additionalProperties\":false}","name":"n"}}}}}`, ""},
		{"a schema for an old Claude", haiku3, wire.Request{Format: wire.Format{Kind: "json_schema", Name: "n", Schema: `{}`}}, `{` + hi + `}`, "response_format"},
		{"JSON without a schema", "", wire.Request{Format: wire.Format{Kind: "json_object"}}, `{` + hi + `}`, "response_format"},

		{"system and cache points", "", wire.Request{System: []wire.Block{text("a"), text(" "), {Type: wire.TextBlock, Text: "b", Cache: hour}}, Messages: []wire.Message{user(wire.Block{Type: wire.TextBlock, Text: "hi", Cache: mark})}}, `{"system":[{"text":"a"},{"text":"b"},{"cachePoint":{"type":"default","ttl":"1h"}}],"messages":[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}]}`, ""},
		{"the last block marked", nova, wire.Request{CacheAuto: hour}, `{"messages":[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}]}`, ""},
		{"a mark for a model without a cache", llama, wire.Request{CacheAuto: mark}, `{` + hi + `}`, "cache_control"},
		{"turns that alternate", "", wire.Request{Messages: []wire.Message{user(text("a")), assistant(text(" "), text("b")), {Role: wire.RoleSystem, Blocks: []wire.Block{text("s")}}, user(text("c")), assistant(text("\n")), user(text("d"))}}, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"}]},{"role":"user","content":[{"text":"<system>\ns\n</system>"},{"text":"c"},{"text":"d"}]}]}`, ""},
		{"an assistant that begins", "", wire.Request{Messages: []wire.Message{assistant(text("hello")), user(text("a"))}}, `{"messages":[{"role":"user","content":[{"text":"."}]},{"role":"assistant","content":[{"text":"hello"}]},{"role":"user","content":[{"text":"a"}]}]}`, ""},
		{"a begun answer", "", wire.Request{Messages: []wire.Message{user(text("a")), assistant(text("b \n"))}}, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"}]}]}`, ""},
		{"a refusal", "", wire.Request{Messages: []wire.Message{user(text("a")), assistant(wire.Block{Type: wire.RefusalBlock, Text: "no"}), user(text("b"))}}, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"no"}]},{"role":"user","content":[{"text":"b"}]}]}`, ""},

		{
			"images and documents", "",
			wire.Request{Messages: []wire.Message{user(
				media(wire.ImageBlock, wire.Media{MIME: "image/jpg", Data: "AA==", Detail: "high"}), media(wire.ImageBlock, wire.Media{Data: "iVBORw0KGgo="}), media(wire.ImageBlock, wire.Media{MIME: "image/png", URL: "s3://b/k"}),
				media(wire.DocumentBlock, wire.Media{MIME: "application/pdf", Data: "AA==", Name: "a_b  (1).pdf", Cite: true}), media(wire.DocumentBlock, wire.Media{MIME: "application/pdf", Data: "AA==", Name: "a b (1)"}), media(wire.DocumentBlock, wire.Media{Text: "t"}))}},
			`{"messages":[{"role":"user","content":[{"image":{"format":"jpeg","source":{"bytes":"AA=="}}},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k"}}}},{"document":{"format":"pdf","name":"a b (1)","source":{"bytes":"AA=="},"citations":{"enabled":true}}},{"document":{"format":"pdf","name":"a b (1) 2","source":{"bytes":"AA=="}}},{"document":{"format":"txt","name":"document","source":{"text":"t"}}}]}]}`, "detail",
		},
		{"audio and video", nova, wire.Request{Messages: []wire.Message{user(media(wire.AudioBlock, wire.Media{MIME: "audio/wav", Data: "AA=="}), media(wire.VideoBlock, wire.Media{MIME: "video/mp4", Data: "AA=="}))}}, `{"messages":[{"role":"user","content":[{"audio":{"format":"wav","source":{"bytes":"AA=="}}},{"video":{"format":"mp4","source":{"bytes":"AA=="}}}]}]}`, ""},

		{"a tool", "", wire.Request{Tools: []wire.Tool{{Name: "weather", Description: "d", Schema: weather.Schema, Strict: wire.Yes, Cache: mark}, {Name: "b", Cache: nil}}, ToolChoice: wire.ToolChoice{Mode: "required"}}, `{"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"d","inputSchema":{"json":{"type":"object","properties":{"b":{},"a":{}},"additionalProperties":false}},"strict":true}},{"cachePoint":{"type":"default"}},{"toolSpec":{"name":"b","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"any":{}}},` + hi + `}`, ""},
		{"schemas without a type", "", wire.Request{Tools: []wire.Tool{{Name: "a", Schema: `{ }`}, {Name: "b", Schema: `{"properties":{"x":{}}}`, Strict: wire.Yes}, {Name: "c", Strict: wire.Yes}}}, `{"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{"type":"object","properties":{}}}}},{"toolSpec":{"name":"b","inputSchema":{"json":{"type":"object","properties":{"x":{}},"additionalProperties":false}},"strict":true}},{"toolSpec":{"name":"c","inputSchema":{"json":{"type":"object","properties":{},"additionalProperties":false}},"strict":true}}]},` + hi + `}`, ""},
		{"a named tool", "", wire.Request{Tools: []wire.Tool{weather}, ToolChoice: wire.ToolChoice{Mode: "named", Name: "weather"}}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"tool":{"name":"weather"}}},` + hi + `}`, ""},
		{"no tool", "", wire.Request{Tools: []wire.Tool{weather}, ToolChoice: wire.ToolChoice{Mode: "none"}}, `{` + hi + `}`, ""},
		{"some tools", "", wire.Request{Tools: []wire.Tool{{Name: "x"}, weather}, ToolChoice: wire.ToolChoice{Mode: "auto", Allowed: []string{"weather"}}}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"auto":{}}},` + hi + `}`, ""},
		{"one call at a time", "", wire.Request{Tools: []wire.Tool{weather}, ParallelTools: wire.No}, `{"toolConfig":{"tools":[` + weatherSpec + `]},` + hi + `,"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}}`, ""},
		{"one call at a time of others", nova, wire.Request{Tools: []wire.Tool{weather}, ParallelTools: wire.No}, `{"toolConfig":{"tools":[` + weatherSpec + `]},` + hi + `}`, "parallel_tool_calls"},
		{"tools of another vendor, strict and marked", nova, wire.Request{Tools: []wire.Tool{{Name: "web_search", Raw: `{"type":"web_search"}`, Vendor: wire.VendorOpenAI}, {Name: "nova_grounding", Raw: `{"systemTool":{"name":"nova_grounding"}}`, Vendor: wire.VendorBedrock}, {Name: "weather", Description: "d", Schema: weather.Schema, Strict: wire.Yes, Cache: mark}}}, `{"toolConfig":{"tools":[{"systemTool":{"name":"nova_grounding"}},` + weatherSpec + `]},` + hi + `}`, "tools[web_search], tools[weather].strict, cache_control"},
		{"a custom tool", "", wire.Request{Tools: []wire.Tool{{Name: "sh", Custom: true, Grammar: "{}"}}, Messages: []wire.Message{user(text("a")), assistant(wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "c", Name: "sh", Arguments: "ls", Custom: true}}), user(result("c", text("x")))}}, `{"toolConfig":{"tools":[{"toolSpec":{"name":"sh","inputSchema":{"json":` + wire.CustomSchema + `}}}]},"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"c","name":"sh","input":{"input":"ls"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"c","content":[{"text":"x"}]}}]}]}`, "tools[sh].format"},

		{"calls and results without tools", "", wire.Request{ToolChoice: wire.ToolChoice{Mode: "none"}, Messages: []wire.Message{
			user(text("a")), assistant(text("b"), call("call:1", "weather", ` {"x":1} `), call("2", "weather", ""), call("3", "other", `{"cut`)),
			user(result("call:1", text("t"), text(""), media(wire.ImageBlock, wire.Media{MIME: "image/png", Data: "AA=="})), wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "2", IsError: true, Content: []wire.Block{{Type: wire.TextBlock, Text: "e", Cache: mark}}}}, text("go on")),
		}}, `{"toolConfig":{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object","properties":{}}}}},{"toolSpec":{"name":"other","inputSchema":{"json":{"type":"object","properties":{}}}}}]},"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"},{"toolUse":{"toolUseId":"` + wire.SafeCallID("call:1") + `","name":"weather","input": {"x":1} }},{"toolUse":{"toolUseId":"2","name":"weather","input":{}}},{"toolUse":{"toolUseId":"3","name":"other","input":{"_raw":"{\"cut"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"` + wire.SafeCallID("call:1") + `","content":[{"text":"t"},{"image":{"format":"png","source":{"bytes":"AA=="}}}]}},{"toolResult":{"toolUseId":"2","content":[{"text":"e"}],"status":"error"}},{"cachePoint":{"type":"default"}},{"text":"go on"}]}]}`, "tool_choice"},
		{"results after a folded instruction", "", wire.Request{Tools: []wire.Tool{weather}, Messages: []wire.Message{user(text("a")), assistant(call("1", "weather", "{}")), {Role: wire.RoleSystem, Blocks: []wire.Block{text("s")}}, user(result("1", text("x")))}}, `{"toolConfig":{"tools":[` + weatherSpec + `]},"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"weather","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"x"}]}},{"text":"<system>\ns\n</system>"}]}]}`, ""},

		{"thinking of Claude's own", "", wire.Request{Messages: []wire.Message{user(text("a")), assistant(signed, wire.Block{Type: wire.RedactedBlock, Signature: "data", Vendor: wire.VendorAnthropic}, text("b")), user(text("c"))}}, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"reasoningContent":{"redactedContent":"ZGF0YQ=="}},{"text":"b"}]},{"role":"user","content":[{"text":"c"}]}]}`, ""},
		{"thinking of others", "", wire.Request{Messages: []wire.Message{user(text("a")), assistant(wire.Block{Type: wire.ThinkingBlock, Text: "hm"}, wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorGemini}, text("b")), user(text("c"))}}, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"}]},{"role":"user","content":[{"text":"c"}]}]}`, "thinking"},
		{"Claude's thinking on another model", nova, wire.Request{Messages: []wire.Message{user(text("a")), assistant(signed, text("b")), user(text("c"))}}, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"}]},{"role":"user","content":[{"text":"c"}]}]}`, "thinking"},

		{"effort as a budget", "", wire.Request{Reasoning: wire.Reasoning{Effort: "low"}, Temperature: "0.3"}, `{` + hi + `,"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2048}}}`, "temperature"},
		{"effort fitted under the cap", "", wire.Request{Reasoning: wire.Reasoning{Effort: "high"}, MaxTokens: 4000}, `{` + hi + `,"inferenceConfig":{"maxTokens":4000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2975}}}`, ""},
		{"no room to think", "", wire.Request{Reasoning: wire.Reasoning{Effort: "high"}, MaxTokens: 1000}, `{` + hi + `,"inferenceConfig":{"maxTokens":1000}}`, "reasoning_effort"},
		{"a budget", opus46, wire.Request{Reasoning: wire.Reasoning{Mode: "on", Budget: 3000}}, `{` + hi + `,"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":3000}}}`, ""},
		{"a budget that no model has", opus47, wire.Request{Reasoning: wire.Reasoning{Mode: "on", Budget: 3000, Show: "auto"}}, `{` + hi + `,"additionalModelRequestFields":{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}}`, ""},
		{"thinking or a forced tool", "", wire.Request{Tools: []wire.Tool{weather}, ToolChoice: wire.ToolChoice{Mode: "required"}, Reasoning: wire.Reasoning{Mode: "on", Budget: 3000}}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"any":{}}},` + hi + `}`, "reasoning_effort"},
		{"tools of a turn that began without thinking", "", wire.Request{Tools: []wire.Tool{weather}, Reasoning: wire.Reasoning{Mode: "on", Budget: 3000}, Messages: []wire.Message{user(text("a")), assistant(call("1", "weather", "{}")), user(result("1", text("x")))}}, `{"toolConfig":{"tools":[` + weatherSpec + `]},"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"weather","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"x"}]}}]}]}`, "reasoning_effort"},
		{"adaptive with an effort", opus47, wire.Request{Reasoning: wire.Reasoning{Effort: "minimal"}}, `{` + hi + `,"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}}`, ""},
		{"adaptive thinking binds sampling", "anthropic.claude-opus-4-6-v1", wire.Request{Reasoning: wire.Reasoning{Effort: "high"}, Temperature: "0.5", TopP: "0.9", TopK: "3"}, `{` + hi + `,"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}}`, "temperature, top_p, top_k"},
		{"no thinking", opus47, wire.Request{Reasoning: wire.Reasoning{Effort: "none"}}, `{` + hi + `,"additionalModelRequestFields":{"thinking":{"type":"disabled"}}}`, ""},
		{"a model that always thinks", "anthropic.claude-opus-5-5", wire.Request{Reasoning: wire.Reasoning{Mode: "off"}}, `{` + hi + `,"additionalModelRequestFields":{"output_config":{"effort":"low"}}}`, "reasoning_effort"},
		{"a model that cannot", haiku3, wire.Request{Reasoning: wire.Reasoning{Effort: "high"}}, `{` + hi + `}`, "reasoning_effort"},
		{"Nova 2", nova2, wire.Request{Reasoning: wire.Reasoning{Effort: "xhigh"}}, `{` + hi + `,"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}}`, ""},
		{"Nova 1", nova, wire.Request{Reasoning: wire.Reasoning{Effort: "low"}}, `{` + hi + `}`, "reasoning_effort"},
		{"gpt-oss", oss, wire.Request{Reasoning: wire.Reasoning{Effort: "low"}}, `{` + hi + `,"additionalModelRequestFields":{"reasoning_effort":"low"}}`, ""},
		{"an unknown model", profile, wire.Request{Reasoning: wire.Reasoning{Effort: "low"}, CacheAuto: mark}, `{"messages":[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}]}`, "reasoning_effort"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.req.Model = tt.model; tt.model == "" {
				tt.req.Model = sonnet45
			}
			if tt.req.Messages == nil {
				tt.req.Messages = []wire.Message{user(text("hi"))}
			}
			loss := wire.NewLoss(&tt.req)
			got, err := bedrock.Codec{}.EncodeRequest(nil, &tt.req, loss)
			if err != nil || string(got) != tt.want || loss.String() != tt.lost {
				t.Errorf("lost %q, want %q; error %v\n got %s\nwant %s", loss, tt.lost, err, got, tt.want)
			}
			if !json.Valid(got) {
				t.Error("no JSON")
			}
		})
	}
}

func TestUnmappable(t *testing.T) {
	for _, tt := range []struct {
		name, model, says string
		req               wire.Request
	}{
		{"an image by URL", sonnet45, "by its URL", wire.Request{Messages: []wire.Message{user(media(wire.ImageBlock, wire.Media{URL: "https://x/y.png"}))}}},
		{"a file id", sonnet45, "uploaded file", wire.Request{Messages: []wire.Message{user(media(wire.DocumentBlock, wire.Media{FileID: "file-1"}))}}},
		{"a strange image", sonnet45, "image/tiff", wire.Request{Messages: []wire.Message{user(media(wire.ImageBlock, wire.Media{MIME: "image/tiff", Data: "AA=="}))}}},
		{"audio for Claude", sonnet45, "an audio clip", wire.Request{Messages: []wire.Message{user(media(wire.AudioBlock, wire.Media{MIME: "audio/wav", Data: "AA=="}))}}},
		{"a block of another vendor", sonnet45, "openai", wire.Request{Messages: []wire.Message{user(text("a")), assistant(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: "{}"}), user(text("b"))}}},
		{"a begun answer on a new Claude", opus47, "last message", wire.Request{Messages: []wire.Message{user(text("a")), assistant(text("b"))}}},
		{"state of another vendor", sonnet45, "previous_response_id", wire.Request{State: []wire.Extra{{Name: "previous_response_id", Raw: `"r"`}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Model = tt.model
			got, err := bedrock.Codec{}.EncodeRequest([]byte("x"), &tt.req, wire.NewLoss(&tt.req))
			var f *wire.Failure
			if string(got) != "x" {
				t.Errorf("wrote %s", got)
			}
			if err == nil {
				t.Fatal("no error")
			}
			if !errors.As(err, &f) || f.Kind != wire.KindInvalid || f.Param == "" || !strings.Contains(f.Message, tt.says) {
				t.Errorf("error %+v", f)
			}
		})
	}
}
