package gemini_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
)

func TestEncodeRequest(t *testing.T) {
	image := &wire.Media{MIME: "image/png", Data: "AA=="}
	signed := call("c", "f", `{"a":1}`)
	signed.Signature, signed.Vendor = "c2ln", wire.VendorGemini
	carrier := wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "Y2Fy", Vendor: wire.VendorGemini}
	hello := []wire.Message{user(text("a"))}
	const contents = `"contents":[{"role":"user","parts":[{"text":"a"}]}]`
	tool := wire.Tool{Name: "f", Description: "d", Schema: `{"type": "object"}`}
	strict := tool
	strict.Strict = wire.Yes
	const tools = `"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type": "object"}}]}]`
	for _, tt := range []struct {
		name, model string
		req         wire.Request
		want, loss  string
	}{
		{
			"order", "",
			wire.Request{System: []wire.Block{text("s"), text("")}, Messages: hello, Tools: []wire.Tool{tool}, MaxTokens: 5},
			`{"systemInstruction":{"parts":[{"text":"s"}]},` + tools + `,` + contents + `,"generationConfig":{"maxOutputTokens":5}}`, "",
		},
		{
			"results, system turns and text", "",
			wire.Request{Messages: []wire.Message{
				user(text("q")), model(call("a", "f", ""), call("b", "g", "[1]")),
				{Role: wire.RoleSystem, Blocks: []wire.Block{text("rule")}},
				user(result("a", "f", "plain", false), result("b", "g", "bad", true), text("and")),
			}},
			`{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}}},{"functionCall":{"id":"b","name":"g","args":{"_raw":"[1]"}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"result":"plain"}}},{"functionResponse":{"id":"b","name":"g","response":{"error":"bad"}}}]},{"role":"user","parts":[{"text":"rule"},{"text":"and"}]}]}`, "",
		},
		{
			"a result that is an object, one that looks wrapped, one without a name", "",
			wire.Request{Messages: []wire.Message{user(result("a", "f", `{"t": 1}`, false), result("b", "f", `{"error":"x"}`, false), result("c", "", "", false))}},
			`{"contents":[{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"t": 1}}},{"functionResponse":{"id":"b","name":"f","response":{"result":"{\"error\":\"x\"}"}}},{"functionResponse":{"id":"c","name":"c","response":{"result":""}}}]}]}`, "",
		},
		{
			"media in results, Gemini 3", "gemini-3-pro",
			wire.Request{Messages: []wire.Message{user(wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "a", Name: "f", Content: []wire.Block{text("see"), {Type: wire.ImageBlock, Media: image}}}})}},
			`{"contents":[{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"result":"see"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}}]}]}`, "",
		},
		{
			"media in results, before", "gemini-2.5-pro",
			wire.Request{Messages: []wire.Message{user(wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: "a", Name: "f", Content: []wire.Block{{Type: wire.ImageBlock, Media: image}}}})}},
			`{"contents":[{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"result":""}}}]},{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}`, "",
		},
		{
			"the model first", "",
			wire.Request{Messages: []wire.Message{model(text("a"))}},
			`{"contents":[{"role":"user","parts":[{"text":" "}]},{"role":"model","parts":[{"text":"a"}]}]}`, "",
		},
		{"nobody", "", wire.Request{System: []wire.Block{text("s")}}, `{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":" "}]}]}`, ""},
		{
			"calls without signatures, Gemini 3: the first of each step", "gemini-3-flash",
			wire.Request{Messages: []wire.Message{user(text("q")), model(call("a", "f", "{}"), call("b", "f", "{}")), user(text("r")), model(text("t"), signed)}},
			`{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"b","name":"f","args":{}}}]},` +
				`{"role":"user","parts":[{"text":"r"}]},{"role":"model","parts":[{"text":"t"},{"functionCall":{"id":"c","name":"f","args":{"a":1}},"thoughtSignature":"c2ln"}]}]}`, "",
		},
		{
			"a signature carried by thinking", "gemini-3-flash",
			wire.Request{Messages: []wire.Message{user(text("q")), model(carrier, call("a", "f", "{}"))}},
			`{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"Y2Fy"}]}]}`, "",
		},
		{
			"thinking of others", "",
			wire.Request{Messages: []wire.Message{user(text("q")), model(wire.Block{Type: wire.ThinkingBlock, Text: "x", Signature: "s", Vendor: wire.VendorAnthropic}, text("a"))}},
			`{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"a"}]}]}`, "thinking",
		},
		{
			"files and links", "gemini-3-flash",
			wire.Request{Messages: []wire.Message{user(
				wire.Block{Type: wire.ImageBlock, Media: &wire.Media{URL: "https://x/a.PNG?b", Detail: "high"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{FileID: "gs://b/c.pdf", Name: "n"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{Text: "hi", MIME: "text/plain"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{Data: "AA==", MIME: "application/pdf", Name: "n.pdf"}},
				wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{Text: "hi", MIME: "text/plain", Name: "n"}},
			)}},
			`{"contents":[{"role":"user","parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x/a.PNG?b"},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}},{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/c.pdf"}},{"inlineData":{"mimeType":"text/plain","data":"aGk="}},{"inlineData":{"mimeType":"application/pdf","data":"AA=="}},{"inlineData":{"mimeType":"text/plain","data":"bjoKaGk="}}]}]}`, "",
		},
		{
			"detail before Gemini 3", "gemini-2.5-flash",
			wire.Request{Messages: []wire.Message{user(wire.Block{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: "AA==", Detail: "low"}})}},
			`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}`, "detail",
		},
		{
			"custom tools and those of others", "",
			wire.Request{Messages: hello, Tools: []wire.Tool{{Name: "c", Custom: true, Grammar: "{}"}, {Name: "web_search", Raw: "{}", Vendor: wire.VendorOpenAI}, {Name: "googleSearch", Raw: `{"googleSearch":{}}`, Vendor: wire.VendorGemini}, {Name: "n"}}},
			`{"tools":[{"functionDeclarations":[{"name":"c","parametersJsonSchema":` + wire.CustomSchema + `}]},{"googleSearch":{}},{"functionDeclarations":[{"name":"n"}]}],` + contents + `}`, "tools[c].format, tools[web_search]",
		},
		{"auto", "", wire.Request{Messages: hello, Tools: []wire.Tool{tool}, ToolChoice: wire.ToolChoice{Mode: "auto"}}, `{` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},` + contents + `}`, ""},
		{"none", "", wire.Request{Messages: hello, Tools: []wire.Tool{tool}, ToolChoice: wire.ToolChoice{Mode: "none"}}, `{` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}},` + contents + `}`, ""},
		{"required", "", wire.Request{Messages: hello, Tools: []wire.Tool{tool}, ToolChoice: wire.ToolChoice{Mode: "required"}, ParallelTools: wire.No}, `{` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},` + contents + `}`, "parallel_tool_calls"},
		{"named", "", wire.Request{Messages: hello, Tools: []wire.Tool{tool}, ToolChoice: wire.ToolChoice{Mode: "named", Name: "f"}}, `{` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},` + contents + `}`, ""},
		{"some allowed", "", wire.Request{Messages: hello, Tools: []wire.Tool{tool}, ToolChoice: wire.ToolChoice{Mode: "auto", Allowed: []string{"f"}}}, `{` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}},` + contents + `}`, ""},
		{"all strict", "", wire.Request{Messages: hello, Tools: []wire.Tool{strict}}, `{` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},` + contents + `}`, ""},
		{"some strict", "", wire.Request{Messages: hello, Tools: []wire.Tool{strict, {Name: "g"}}}, `{` + strings.Replace(tools, "}]}]", `},{"name":"g"}]}]`, 1) + `,` + contents + `}`, "strict"},
		{"a choice without tools", "", wire.Request{Messages: hello, ToolChoice: wire.ToolChoice{Mode: "auto"}}, `{` + contents + `}`, ""},
		{
			"parameters", "",
			wire.Request{
				Messages: hello, Temperature: "0.70", TopP: "1", TopK: "3", MaxTokens: 9, Choices: 2, Stop: []string{"a", "b"}, Seed: "7", PresencePenalty: "0.1", FrequencyPenalty: "0.2",
				LogProbs: true, TopLogProbs: "4", Modalities: []string{"text", "audio"}, ServiceTier: "flex", Format: wire.Format{Kind: "json_schema", Name: "n", Schema: `{"a": 1}`},
			},
			`{` + contents + `,"generationConfig":{"temperature":0.70,"topP":1,"topK":3,"maxOutputTokens":9,"candidateCount":2,"stopSequences":["a","b"],"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2,` +
				`"responseLogprobs":true,"logprobs":4,"responseMimeType":"application/json","responseJsonSchema":{"a": 1},"responseModalities":["TEXT","AUDIO"]},"serviceTier":"flex"}`, "",
		},
		{"alternatives to words that are not asked for", "", wire.Request{Messages: hello, TopLogProbs: "2"}, `{` + contents + `}`, "top_logprobs"},
		{"a json object", "", wire.Request{Messages: hello, Format: wire.Format{Kind: "json_object"}, ServiceTier: "auto"}, `{` + contents + `,"generationConfig":{"responseMimeType":"application/json"}}`, ""},
		{
			"what has no place", "",
			wire.Request{Messages: hello, LogitBias: `{"1":2}`, User: "u", Store: wire.Yes, Verbosity: "low", CacheKey: "k", CacheOptions: "{}", Metadata: `{"a":"b"}`, ServiceTier: "scale", Seed: "99999999999", CacheAuto: &wire.CacheMark{}, Extra: []wire.Extra{{Name: "prediction", Raw: "{}"}}},
			`{` + contents + `}`, "seed, metadata, service_tier, store, logit_bias, verbosity, user, prompt_cache_key, prompt_cache_options, prediction",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := tt.req
			req.Model, req.Dialect = tt.model, wire.OpenAI
			loss := wire.NewLoss(&req)
			got, err := gemini.Codec{}.EncodeRequest(nil, &req, loss)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("%s\n%s", diff, got)
			}
			if loss.String() != tt.loss {
				t.Errorf("lost %q, want %q", loss, tt.loss)
			}
			if _, err := wire.ParseDoc(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEncodeReasoning(t *testing.T) {
	for _, tt := range []struct {
		model      string
		reasoning  wire.Reasoning
		want, loss string
	}{
		{"gemini-2.5-flash", wire.Reasoning{}, "", ""},
		{"gemini-2.5-flash", wire.Reasoning{Effort: "none"}, `{"thinkingBudget":0}`, ""},
		{"gemini-2.5-pro", wire.Reasoning{Mode: "off"}, `{"thinkingBudget":128}`, "reasoning_effort"},
		{"gemini-2.5-flash", wire.Reasoning{Effort: "minimal"}, `{"thinkingBudget":512,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wire.Reasoning{Effort: "low", Show: "none"}, `{"thinkingBudget":1024}`, ""},
		{"gemini-2.5-flash", wire.Reasoning{Effort: "medium"}, `{"thinkingBudget":8192,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wire.Reasoning{Effort: "xhigh"}, `{"thinkingBudget":24576,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wire.Reasoning{Mode: "on", Budget: 60000}, `{"thinkingBudget":24576,"includeThoughts":true}`, ""},
		{"gemini-2.5-pro", wire.Reasoning{Mode: "on", Budget: 60000}, `{"thinkingBudget":32768,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wire.Reasoning{Mode: "adaptive"}, `{"thinkingBudget":-1,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wire.Reasoning{Show: "auto"}, `{"includeThoughts":true}`, ""},
		{"gemini-3-flash", wire.Reasoning{Effort: "none"}, `{"thinkingLevel":"MINIMAL"}`, ""},
		{"gemini-3-pro", wire.Reasoning{Effort: "none"}, `{"thinkingLevel":"LOW"}`, "reasoning_effort"},
		{"gemini-3-pro", wire.Reasoning{Effort: "minimal"}, `{"thinkingLevel":"LOW","includeThoughts":true}`, ""},
		{"gemini-3-pro", wire.Reasoning{Effort: "max"}, `{"thinkingLevel":"HIGH","includeThoughts":true}`, ""},
		{"gemini-3-flash", wire.Reasoning{Mode: "on", Budget: 4000}, `{"thinkingLevel":"MEDIUM","includeThoughts":true}`, ""},
		{"gemini-3-flash", wire.Reasoning{Mode: "on"}, `{"includeThoughts":true}`, ""},
		{"gemini-2.0-flash", wire.Reasoning{Effort: "high"}, "", "reasoning_effort"},
		{"gemini-2.0-flash", wire.Reasoning{Effort: "none"}, "", ""},
	} {
		t.Run(tt.model+" "+tt.reasoning.Mode+tt.reasoning.Effort+tt.reasoning.Show, func(t *testing.T) {
			req := &wire.Request{Model: tt.model, Messages: []wire.Message{user(text("a"))}, Reasoning: tt.reasoning}
			loss := wire.NewLoss(req)
			got, err := gemini.Codec{}.EncodeRequest(nil, req, loss)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := wire.ParseDoc(got)
			if err != nil {
				t.Fatal(err)
			}
			if config := doc.RawAt(doc.Root, "generationConfig", "thinkingConfig"); config != tt.want || loss.String() != tt.loss {
				t.Errorf("%s, want %s; lost %q, want %q", config, tt.want, loss, tt.loss)
			}
		})
	}
}

func TestEncodeRequestRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		req   wire.Request
		param string
	}{
		{"six stop strings", wire.Request{Stop: make([]string, 6), Spelling: map[string]string{"stop": "stop_sequences"}}, "stop_sequences"},
		{"state", wire.Request{State: []wire.Extra{{Name: "previous_response_id", Raw: `"r"`}}}, "previous_response_id"},
		{"another vendor's file", wire.Request{Messages: []wire.Message{user(wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{FileID: "file-1"}})}}, "messages"},
		{"another vendor's block", wire.Request{Messages: []wire.Message{model(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: "{}"})}}, "messages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := gemini.Codec{}.EncodeRequest(nil, &tt.req, wire.NewLoss(&tt.req))
			var f *wire.Failure
			if !errors.As(err, &f) || f.Param != tt.param {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestLabelsAreVertexs(t *testing.T) {
	req := &wire.Request{Messages: []wire.Message{user(text("a"))}, Metadata: `{"a":"b"}`}
	loss := wire.NewLoss(req)
	got, err := gemini.Codec{Vertex: true}.EncodeRequest(nil, req, loss)
	if err != nil || loss.String() != "" || !strings.HasSuffix(string(got), `,"labels":{"a":"b"}}`) {
		t.Errorf("%s lost %q: %v", got, loss, err)
	}
}

// TestBodyMayFollowOther checks that the body does not care what dst holds.
func TestBodyMayFollowOther(t *testing.T) {
	req := &wire.Request{Messages: []wire.Message{user(text("a"))}}
	got, err := gemini.Codec{}.EncodeRequest([]byte("xyz"), req, wire.NewLoss(req))
	if err != nil || string(got) != `xyz{"contents":[{"role":"user","parts":[{"text":"a"}]}]}` {
		t.Errorf("%s: %v", got, err)
	}
}

// TestDisplayNames gives the names of files to Vertex, which has a place for them,
// and back to clients of the dialect.
func TestDisplayNames(t *testing.T) {
	file := wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{MIME: "application/pdf", Data: "AA==", Name: "n.pdf"}}
	for _, tt := range []struct {
		codec   gemini.Codec
		dialect wire.Dialect
		want    bool
	}{{gemini.Codec{}, wire.OpenAI, false}, {gemini.Codec{Vertex: true}, wire.OpenAI, true}, {gemini.Codec{}, wire.Gemini, true}} {
		req := &wire.Request{Model: "gemini-2.5-flash", Dialect: tt.dialect, Messages: []wire.Message{user(file)}}
		got, err := tt.codec.EncodeRequest(nil, req, wire.NewLoss(req))
		if err != nil || strings.Contains(string(got), `"displayName":"n.pdf"`) != tt.want {
			t.Errorf("%+v, %s: %v, %s", tt.codec, tt.dialect, err, got)
		}
	}
}
