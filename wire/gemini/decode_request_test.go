package gemini_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
)

func text(s string) wire.Block { return wire.Block{Text: s} }

func user(blocks ...wire.Block) wire.Message {
	return wire.Message{Role: wire.RoleUser, Blocks: blocks}
}

func model(blocks ...wire.Block) wire.Message {
	return wire.Message{Role: wire.RoleAssistant, Blocks: blocks}
}

func call(id, name, arguments string) wire.Block {
	return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: name, Arguments: arguments}}
}

func result(id, name, content string, isError bool) wire.Block {
	r := &wire.Result{CallID: id, Name: name, IsError: isError}
	if content != "" {
		r.Content = []wire.Block{text(content)}
	}
	return wire.Block{Type: wire.ResultBlock, Result: r}
}

func TestDecodeRequest(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Request
	}{
		{
			"both spellings of names",
			`{"system_instruction":{"parts":{"text":"s"}},"contents":[{"parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}],"generation_config":{"max_output_tokens":"7","top_p":0.50,"topK":4,"stop_sequences":["x"],"candidateCount":2}}`,
			wire.Request{
				System: []wire.Block{text("s")}, Messages: []wire.Message{user(text("a")), model(text("b"))},
				MaxTokens: 7, TopP: "0.50", TopK: "4", Stop: []string{"x"}, Choices: 2,
			},
		},
		{
			"calls without ids, results by name in order",
			`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a": 1}}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f","args":{}}}]},
			 {"role":"user","parts":[{"text":"so"},{"functionResponse":{"name":"g","response":{"result":"G"}}},{"functionResponse":{"name":"f","response":{"output":{"x":1}}}},{"functionResponse":{"name":"f","response":{"error":"no"}}}]}]}`,
			wire.Request{Messages: []wire.Message{
				model(call("call_0", "f", `{"a": 1}`), call("call_1", "g", "{}"), call("call_2", "f", "{}")),
				user(result("call_1", "g", "G", false), result("call_0", "f", `{"x":1}`, false), result("call_2", "f", "no", true), text("so")),
			}},
		},
		{
			"ids that are given count, and none is made twice",
			`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"id":"call_0","name":"f"}}]},
			 {"parts":[{"functionResponse":{"id":"call_0","name":"f","response":{"temp":3,"unit":"C"}}},{"functionResponse":{"name":"f","response":{}}}]}]}`,
			wire.Request{Messages: []wire.Message{
				model(call("call_1", "f", "{}"), call("call_0", "f", "{}")),
				user(result("call_0", "f", `{"temp":3,"unit":"C"}`, false), result("call_1", "f", "{}", false)),
			}},
		},
		{
			"a result of an earlier step is not taken for this one's",
			`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"text":"never mind"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":{"result":""}}}]}]}`,
			wire.Request{Messages: []wire.Message{
				model(call("call_0", "f", "{}")), user(text("never mind")), model(call("call_1", "f", "{}")), user(result("call_1", "f", "", false)),
			}},
		},
		{
			"thoughts and signatures",
			`{"contents":[{"role":"model","parts":[{"text":"hm","thought":true},{"text":"a"},{"text":"","thoughtSignature":"c2ln"},{"functionCall":{"id":"i","name":"f"},"thoughtSignature":"eA=="}]}]}`,
			wire.Request{Messages: []wire.Message{model(
				wire.Block{Type: wire.ThinkingBlock, Text: "hm"},
				wire.Block{Text: "a", Signature: "c2ln", Vendor: wire.VendorGemini},
				wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "i", Name: "f", Arguments: "{}"}, Signature: "eA==", Vendor: wire.VendorGemini},
			)}},
		},
		{
			"sealed signatures of others",
			`{"contents":[{"role":"model","parts":[{"text":"hm","thought":true},{"thought":true,"thoughtSignature":"` + wire.Seal(wire.VendorAnthropic, "", "s") + `"},{"thought":true,"text":"","thoughtSignature":"` + wire.Seal(wire.VendorOpenAI, "redacted:rs_1", "enc") + `"},{"text":"a"}]}]}`,
			wire.Request{Messages: []wire.Message{model(
				wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorAnthropic},
				wire.Block{Type: wire.RedactedBlock, Signature: "enc", Vendor: wire.VendorOpenAI, ID: "rs_1"},
				text("a"),
			)}},
		},
		{
			"media",
			`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"-_8"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},{"fileData":{"fileUri":"https://x/a.pdf"}},{"file_data":{"file_uri":"gs://b/v","mime_type":"video/mp4"},"videoMetadata":{"fps":1}},{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}]}]}`,
			wire.Request{
				Messages: []wire.Message{user(
					wire.Block{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: "+/8=", Detail: "low"}},
					wire.Block{Type: wire.DocumentBlock, Media: &wire.Media{URL: "https://x/a.pdf"}},
					wire.Block{Type: wire.VideoBlock, Media: &wire.Media{MIME: "video/mp4", FileID: "gs://b/v"}},
					wire.Block{Type: wire.AudioBlock, Media: &wire.Media{MIME: "audio/wav", Data: "AAAA"}},
				)},
				Extra: []wire.Extra{{Name: "contents[0].parts[2].videoMetadata", Raw: `{"fps":1}`}},
			},
		},
		{
			"the vendor's own parts",
			`{"contents":[{"role":"model","parts":[{"executableCode":{"code":"1"}},{"hologram":2}]}]}`,
			wire.Request{Messages: []wire.Message{model(
				wire.Block{Type: wire.RawBlock, Vendor: wire.VendorGemini, Raw: `{"executableCode":{"code":"1"}}`},
				wire.Block{Type: wire.RawBlock, Vendor: wire.VendorGemini, Raw: `{"hologram":2}`},
			)}},
		},
		{
			"tools",
			`{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["A"]}},"propertyOrdering":["type"]}},{"name":"g","parametersJsonSchema":{"type": "object"}},{"name":"h"}],"codeExecution":null},{"google_search":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g","h"]},"retrievalConfig":{"languageCode":"de"}}}`,
			wire.Request{
				Tools: []wire.Tool{
					{Name: "f", Description: "d", Schema: `{"type":"object","properties":{"type":{"type":["string","null"],"enum":["A",null]}}}`},
					{Name: "g", Schema: `{"type": "object"}`},
					{Name: "h"},
					{Name: "googleSearch", Raw: `{"google_search":{}}`, Vendor: wire.VendorGemini},
				},
				ToolChoice: wire.ToolChoice{Mode: "required", Allowed: []string{"g", "h"}},
				Extra:      []wire.Extra{{Name: "toolConfig.retrievalConfig", Raw: `{"languageCode":"de"}`}},
			},
		},
		{
			"one function", `{"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["g"]}}}`,
			wire.Request{ToolChoice: wire.ToolChoice{Mode: "named", Name: "g"}},
		},
		{
			"calls that follow their schema", `{"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},"tools":[{"functionDeclarations":[{"name":"f"}]}]}`,
			wire.Request{Tools: []wire.Tool{{Name: "f", Strict: wire.Yes}}, ToolChoice: wire.ToolChoice{Mode: "auto"}},
		},
		{
			"a schema for the answer", `{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"ARRAY","items":{"type":6},"minItems":"1"}}}`,
			wire.Request{Format: wire.Format{Kind: "json_schema", Schema: `{"type":"array","items":{"type":"object"},"minItems":1}`}},
		},
		{"json without a schema", `{"generationConfig":{"responseMimeType":"application/json"}}`, wire.Request{Format: wire.Format{Kind: "json_object"}}},
		{
			"an enum is no JSON", `{"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING"}}}`,
			wire.Request{Extra: []wire.Extra{{Name: "generationConfig.responseMimeType", Raw: `"text/x.enum"`}, {Name: "generationConfig.responseSchema", Raw: `{"type":"STRING"}`}}},
		},
		{"thinking off", `{"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}`, wire.Request{Reasoning: wire.Reasoning{Mode: "off"}}},
		{"thinking by budget", `{"generationConfig":{"thinkingConfig":{"thinkingBudget":99,"includeThoughts":true}}}`, wire.Request{Reasoning: wire.Reasoning{Mode: "on", Budget: 99, Show: "auto"}}},
		{"dynamic thinking", `{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1,"includeThoughts":false}}}`, wire.Request{Reasoning: wire.Reasoning{Mode: "adaptive", Budget: -1, Show: "none"}}},
		{"thinking by level", `{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}`, wire.Request{Reasoning: wire.Reasoning{Effort: "high"}}},
		{
			"the rest",
			`{"model":"models/m","cachedContent":"cachedContents/1","labels":{"a":"b"},"serviceTier":"standard","store":false,"safetySettings":[],"generationConfig":{"responseModalities":["TEXT","IMAGE"],"responseLogprobs":true,"logprobs":3,"seed":5,"presencePenalty":1,"frequencyPenalty":2,"speechConfig":{"a":1}}}`,
			wire.Request{
				State: []wire.Extra{{Name: "cachedContent", Raw: `"cachedContents/1"`}}, Metadata: `{"a":"b"}`, ServiceTier: "default", Store: wire.No,
				Modalities: []string{"text", "image"}, LogProbs: true, TopLogProbs: "3", Seed: "5", PresencePenalty: "1", FrequencyPenalty: "2",
				Extra: []wire.Extra{{Name: "safetySettings", Raw: "[]"}, {Name: "generationConfig.speechConfig", Raw: `{"a":1}`}},
			},
		},
		{"text alone is no modality", `{"generationConfig":{"responseModalities":["TEXT"]},"safetySettings":null}`, wire.Request{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := gemini.Codec{}.DecodeRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Dialect, tt.want.IncludeUsage = wire.Gemini, true
			if diff := cmp.Diff(&tt.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(wire.Request{}, "Spelling")); diff != "" {
				t.Error(diff)
			}
			if !bytes.Contains([]byte(tt.body), []byte(wire.Seal(wire.VendorAnthropic, "", "s"))) { // which Gemini does not get
				roundTrip(t, []byte(tt.body), "gemini-2.5-flash")
			}
		})
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for _, tt := range []struct{ name, body, param string }{
		{"no object", `[]`, ""},
		{"both spellings", `{"systemInstruction":{},"system_instruction":{}}`, "system_instruction"},
		{"both spellings inside", `{"generationConfig":{"topP":1,"top_p":0}}`, "generationConfig.top_p"},
		{"a role", `{"contents":[{"role":"assistant","parts":[]}]}`, "contents[0].role"},
		{"parts", `{"contents":[{"parts":3}]}`, "contents[0].parts"},
		{"a part", `{"contents":[{"parts":[{"text":"a"},"b"]}]}`, "contents[0].parts[1]"},
		{"a text", `{"contents":[{"parts":[{"text":1}]}]}`, "contents[0].parts[0].text"},
		{"two kinds of data", `{"contents":[{"parts":[{"text":"a","functionCall":{"name":"f"}}]}]}`, "contents[0].parts[0].functionCall"},
		{"arguments", `{"contents":[{"parts":[{"functionCall":{"name":"f","args":"x"}}]}]}`, "contents[0].parts[0].functionCall.args"},
		{"a call without a name", `{"contents":[{"parts":[{"function_call":{}}]}]}`, "contents[0].parts[0].function_call.name"},
		{"a system that is no text", `{"systemInstruction":{"parts":[{"inlineData":{"data":"AA=="}}]}}`, "systemInstruction.parts[0]"},
		{"a function without a name", `{"tools":[{"functionDeclarations":[{}]}]}`, "tools[0].functionDeclarations[0].name"},
		{"two schemas", `{"tools":[{"functionDeclarations":[{"name":"f","parameters":{},"parametersJsonSchema":{}}]}]}`, "tools[0].functionDeclarations[0].parametersJsonSchema"},
		{"two answer schemas", `{"generationConfig":{"responseSchema":{},"responseJsonSchema":{}}}`, "generationConfig.responseJsonSchema"},
		{"a mode", `{"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}`, "toolConfig.functionCallingConfig.mode"},
		{"a number", `{"generationConfig":{"temperature":"hot"}}`, "generationConfig.temperature"},
		{"a count", `{"generationConfig":{"candidateCount":1.5}}`, "generationConfig.candidateCount"},
		{"a name that no API has", `{"a.b":1}`, "a.b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := gemini.Codec{}.DecodeRequest([]byte(tt.body))
			var f *wire.Failure
			if !errors.As(err, &f) || f.Kind != wire.KindInvalid || f.Param != tt.param || f.Message == "" {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestSpelling(t *testing.T) {
	req, err := gemini.Codec{}.DecodeRequest([]byte(`{"generation_config":{"max_output_tokens":1,"topK":2},"contents":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	loss := wire.NewLoss(req)
	loss.Drop("max_tokens")
	loss.Drop("top_k")
	if got := loss.String(); got != "generation_config.max_output_tokens, generation_config.topK" {
		t.Error(got)
	}
}
