package cohere_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/cohere"
)

func text(s string) wire.Block { return wire.Block{Type: wire.TextBlock, Text: s} }

func thought(s string) wire.Block { return wire.Block{Type: wire.ThinkingBlock, Text: s} }

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

const (
	commandA  = "command-a-03-2025"
	reasoning = "command-a-reasoning-08-2025"
	hi        = `"messages":[{"role":"user","content":"hi"}]`
)

func TestEncodeRequest(t *testing.T) {
	weather := wire.Tool{Name: "weather", Description: "d", Schema: `{"type":"object","properties":{"b":{},"a":{}},"required":["b"]}`}
	const weatherTool = `{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"b":{},"a":{}},"required":["b"]}}}`
	strict := weather
	strict.Strict = wire.Yes
	other := wire.Tool{Name: "other", Strict: wire.Yes}
	const otherTool = `{"type":"function","function":{"name":"other","parameters":{"type":"object","properties":{}}}}`
	mark := &wire.CacheMark{}
	for _, tt := range []struct {
		name  string
		model string // commandA unless said
		req   wire.Request
		want  string // after the model
		lost  string
	}{
		{"options", "", wire.Request{MaxTokens: 5, Temperature: "0.50", TopP: "0.9", TopK: "3", Seed: "7", FrequencyPenalty: "0.1", PresencePenalty: "0.2", Stop: []string{"a"}, Stream: true}, hi + `,"max_tokens":5,"temperature":0.50,"p":0.9,"k":3,"seed":7,"frequency_penalty":0.1,"presence_penalty":0.2,"stop_sequences":["a"],"stream":true`, ""},
		{"options out of range", "", wire.Request{Temperature: "1.5", TopP: "0", FrequencyPenalty: "-1", PresencePenalty: "2"}, hi + `,"temperature":1,"p":0.01,"frequency_penalty":0,"presence_penalty":1`, "temperature, top_p, frequency_penalty, presence_penalty"},
		{"all of the probability", "", wire.Request{TopP: "1.0"}, hi + `,"p":0.99`, ""},
		{"what there is no place for", "", wire.Request{Choices: 2, LogitBias: `{"1":2}`, LogProbs: true, TopLogProbs: "2", Verbosity: "low", Modalities: []string{"audio"}, User: "u", Metadata: `{"a":"b"}`, ServiceTier: "flex", CacheKey: "k", CacheOptions: "{}", CacheAuto: mark, Store: wire.Yes, Extra: []wire.Extra{{Name: "x", Raw: "1"}}}, hi, "x, cache_control, service_tier, n, logit_bias, logprobs, top_logprobs, verbosity, modalities, user, metadata, prompt_cache_key, prompt_cache_options, store"},
		{"JSON", "", wire.Request{Format: wire.Format{Kind: "json_object"}}, hi + `,"response_format":{"type":"json_object"}`, ""},
		{"a schema", "", wire.Request{Format: wire.Format{Kind: "json_schema", Name: "n", Schema: `{"type":"object"}`}}, hi + `,"response_format":{"type":"json_object","json_schema":{"type":"object"}}`, ""},

		{"instructions", "", wire.Request{System: []wire.Block{text("a"), text(" "), text("b")}, Messages: []wire.Message{user(text("c")), {Role: wire.RoleSystem, Blocks: []wire.Block{text("s")}}, user(text("d"))}}, `"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":"c"},{"role":"system","content":"s"},{"role":"user","content":"d"}]`, ""},
		{
			"images and documents", "",
			wire.Request{Messages: []wire.Message{user(
				text("a"), media(wire.ImageBlock, wire.Media{MIME: "image/png", Data: "AA==", Detail: "low"}), media(wire.ImageBlock, wire.Media{URL: "https://x/y", Detail: "original"}),
				media(wire.DocumentBlock, wire.Media{Text: "inline"}), media(wire.DocumentBlock, wire.Media{Text: "cited", Name: "n", Cite: true}), media(wire.DocumentBlock, wire.Media{MIME: "text/plain", Data: "aGk="}))}},
			`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},{"type":"image_url","image_url":{"url":"https://x/y"}},{"type":"text","text":"inline"},{"type":"text","text":"hi"}]}],"documents":[{"data":{"title":"n","text":"cited"}}]`, "detail",
		},

		{"tools", "", wire.Request{Tools: []wire.Tool{weather, {Name: "search", Raw: "{}", Vendor: wire.VendorOpenAI}}, ToolChoice: wire.ToolChoice{Mode: "required"}, ParallelTools: wire.No}, `"tools":[` + weatherTool + `],"tool_choice":"REQUIRED",` + hi, "tools[search], parallel_tool_calls"},
		{"no tool", "", wire.Request{Tools: []wire.Tool{weather}, ToolChoice: wire.ToolChoice{Mode: "none"}}, `"tools":[` + weatherTool + `],"tool_choice":"NONE",` + hi, ""},
		{"a named tool", "", wire.Request{Tools: []wire.Tool{other, weather}, ToolChoice: wire.ToolChoice{Mode: "named", Name: "weather"}}, `"tools":[` + weatherTool + `],"tool_choice":"REQUIRED",` + hi, ""},
		{"some tools", "", wire.Request{Tools: []wire.Tool{other, weather}, ToolChoice: wire.ToolChoice{Mode: "auto", Allowed: []string{"weather"}}}, `"tools":[` + weatherTool + `],` + hi, ""},
		{"strict tools", "", wire.Request{Tools: []wire.Tool{strict}}, `"tools":[` + weatherTool + `],"strict_tools":true,` + hi, ""},
		{"tools that cannot be strict together", "", wire.Request{Tools: []wire.Tool{strict, other}}, `"tools":[` + weatherTool + `,` + otherTool + `],` + hi, "tools[weather].strict, tools[other].strict"},
		{"calls and results", "", wire.Request{Messages: []wire.Message{
			user(text("a")), assistant(thought("plan"), call("1", "weather", `{"x":1}`), call("2", "weather", ""), call("3", "weather", `{"cut`)),
			user(result("1", text("t"), media(wire.ImageBlock, wire.Media{MIME: "image/png", Data: "AA=="})), result("2", text("u"), text("v")), result("3"), text("go on")),
		}}, `"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_plan":"plan","tool_calls":[{"id":"1","type":"function","function":{"name":"weather","arguments":"{\"x\":1}"}},{"id":"2","type":"function","function":{"name":"weather","arguments":"{}"}},{"id":"3","type":"function","function":{"name":"weather","arguments":"{\"_raw\":\"{\\\"cut\"}"}}]},{"role":"tool","tool_call_id":"1","content":"t"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"u"},{"type":"text","text":"v"}]},{"role":"tool","tool_call_id":"3","content":""},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"go on"}]}]`, ""},
		{"thinking goes back to a model that thinks", reasoning, wire.Request{Messages: []wire.Message{user(text("a")), assistant(thought("hm"), text("b"), call("1", "f", "{}")), user(result("1", text("t")))}}, `"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"b"}],"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"t"}]`, ""},
		{"thinking of another vendor", "", wire.Request{Messages: []wire.Message{user(text("a")), assistant(wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorAnthropic}, text("b")), user(text("c"))}}, `"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]`, "thinking"},

		{"a budget", reasoning, wire.Request{Reasoning: wire.Reasoning{Mode: "on", Budget: 500}}, hi + `,"thinking":{"type":"enabled","token_budget":500}`, ""},
		{"an effort", reasoning, wire.Request{Reasoning: wire.Reasoning{Effort: "high"}}, hi + `,"thinking":{"type":"enabled"}`, "reasoning_effort"},
		{"no thinking", reasoning, wire.Request{Reasoning: wire.Reasoning{Effort: "none"}}, hi + `,"thinking":{"type":"disabled"}`, ""},
		{"a model that does not think", "", wire.Request{Reasoning: wire.Reasoning{Effort: "high"}}, hi, "reasoning_effort"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.req.Model = tt.model; tt.model == "" {
				tt.req.Model = commandA
			}
			if tt.req.Messages == nil {
				tt.req.Messages = []wire.Message{user(text("hi"))}
			}
			loss := wire.NewLoss(&tt.req)
			got, err := cohere.Codec{}.EncodeRequest(nil, &tt.req, loss)
			if want := `{"model":"` + tt.req.Model + `",` + tt.want + `}`; err != nil || string(got) != want || loss.String() != tt.lost {
				t.Errorf("lost %q, want %q; error %v\n got %s\nwant %s", loss, tt.lost, err, got, want)
			}
			if !json.Valid(got) {
				t.Error("no JSON")
			}
		})
	}
}

func TestUnmappable(t *testing.T) {
	for name, b := range map[string]wire.Block{
		"a PDF":                   media(wire.DocumentBlock, wire.Media{MIME: "application/pdf", Data: "AA=="}),
		"audio":                   media(wire.AudioBlock, wire.Media{MIME: "audio/wav", Data: "AA=="}),
		"a file id":               media(wire.ImageBlock, wire.Media{FileID: "f"}),
		"another vendor's search": {Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: "{}"},
	} {
		req := &wire.Request{Model: commandA, Messages: []wire.Message{user(b)}}
		got, err := cohere.Codec{}.EncodeRequest([]byte("x"), req, wire.NewLoss(req))
		var f *wire.Failure
		if !errors.As(err, &f) || f.Kind != wire.KindInvalid || !strings.Contains(f.Message, "Cohere") || string(got) != "x" {
			t.Errorf("%s: %v, wrote %q", name, err, got)
		}
	}
}
