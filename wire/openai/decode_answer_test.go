package openai_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

// TestDecodeAnswer reads what compatible servers answer besides OpenAI's own.
func TestDecodeAnswer(t *testing.T) {
	said := func(blocks ...wire.Block) []wire.Block { return blocks }
	for _, tt := range []struct {
		name, choice string // in an answer of one
		want         wire.Choice
	}{
		{"a refusal", `"message":{"content":null,"refusal":"no"},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishPolicy, Native: "stop", Blocks: said(wire.Block{Type: wire.RefusalBlock, Text: "no"})}},
		{"a filter", `"message":{"content":null},"finish_reason":"content_filter"`, wire.Choice{Finish: wire.FinishPolicy, Native: "content_filter"}},
		{"calls that end in a stop", `"message":{"content":"","tool_calls":[{"id":"1","function":{"name":"f","arguments":""}},{"id":"2","function":{"name":"g","arguments":{"a": 1}}}]},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishTools, Native: "stop", Blocks: said(call("1", "f", ""), call("2", "g", `{"a": 1}`))}},
		{"calls cut by the cap", `"message":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a"}}]},"finish_reason":"length"`, wire.Choice{Finish: wire.FinishLength, Native: "length", Blocks: said(call("1", "f", `{"a`))}},
		{"a function of old", `"message":{"content":null,"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"`, wire.Choice{Finish: wire.FinishTools, Native: "function_call", Blocks: said(call("", "f", "{}"))}},
		{"a custom call", `"message":{"tool_calls":[{"id":"1","type":"custom","custom":{"name":"p","input":"x"}}]},"finish_reason":"tool_calls"`, wire.Choice{Finish: wire.FinishTools, Native: "tool_calls", Blocks: said(wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: "p", Arguments: "x", Custom: true}})}},
		{"vllm's stop string", `"message":{"content":"a"},"finish_reason":"stop","stop_reason":"END"`, wire.Choice{Finish: wire.FinishString, Native: "stop", StopString: "END", Blocks: said(wire.Block{Text: "a"})}},
		{"vllm's stop token", `"message":{"content":"a"},"finish_reason":"stop","stop_reason":128009`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Text: "a"})}},
		{"a cap beside a stop string", `"message":{"content":"a"},"finish_reason":"length","stop_reason":"END"`, wire.Choice{Finish: wire.FinishLength, Native: "length", Blocks: said(wire.Block{Text: "a"})}},
		{"mistral's parts", `"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":""},{"type":"text","text":"a"}]},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Type: wire.ThinkingBlock, Text: "hm"}, wire.Block{Text: "a"})}},
		{"openrouter's thoughts, told twice", `"message":{"content":"a","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1"}]},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorAnthropic}, wire.Block{Text: "a"})}},
		{"a source", `"message":{"content":"a","annotations":[{"type":"file_citation"},{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":1}}]},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Text: "a", Citations: []wire.Citation{{URL: "u", Title: "t", End: 1}}})}},
		{"an image", `"message":{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"x"}]},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Text: "a"}, wire.Block{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: "AA=="}})}},
		{"nothing", `"message":null,"finish_reason":null`, wire.Choice{Finish: wire.FinishStop}},
		{"an index that is none", `"index":-1,"message":{"content":"a"},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Text: "a"})}},
		{"an index too high", `"index":100000,"message":{"content":"a"},"finish_reason":"stop"`, wire.Choice{Finish: wire.FinishStop, Native: "stop", Blocks: said(wire.Block{Text: "a"})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := openai.Codec{}.DecodeResponse([]byte(`{"choices":[{` + tt.choice + `}]}`))
			if err != nil || got.Failure != nil {
				t.Fatal(err, got)
			}
			if diff := cmp.Diff([]wire.Choice{tt.want}, got.Choices); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSources gives Perplexity's sources to a text that names none.
func TestSources(t *testing.T) {
	const own = `"annotations":[{"type":"url_citation","url_citation":{"url":"own","start_index":0,"end_index":1}}]`
	for body, want := range map[string][]wire.Citation{
		`{"choices":[{"message":{"content":"a"}}],"citations":["x","y"]}`:                                                   {{URL: "x"}, {URL: "y"}},
		`{"choices":[{"message":{"content":"a"}}],"citations":["x"],"search_results":[{"url":"z","title":"t"},{"url":""}]}`: {{URL: "z", Title: "t"}},
		`{"choices":[{"message":{"content":"a",` + own + `}}],"citations":["x"]}`:                                           {{URL: "own", End: 1}},
	} {
		res, err := openai.Codec{}.DecodeResponse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, res.Choices[0].Blocks[0].Citations); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

// TestAnswersThatFailed: some say so beside what there was of an answer.
func TestAnswersThatFailed(t *testing.T) {
	for body, want := range map[string]wire.Kind{
		`{"error":{"message":"boom","code":502}}`:                                                                      wire.KindUpstream,
		`{"error":"prompt too long; exceeded max context length by 5 tokens"}`:                                         wire.KindContextLength,
		`{"choices":[{"error":{"code":429,"message":"slow down"},"message":{"content":"a"},"finish_reason":"error"}]}`: wire.KindRateLimit,
		`{"error":{"message":"first"},"choices":[{"error":{"code":429,"message":"second"}}]}`:                          wire.KindUpstream,
	} {
		res, err := openai.Codec{}.DecodeResponse([]byte(body))
		if err != nil || res.Failure == nil || res.Failure.Kind != want || res.Failure.Message == "" {
			t.Errorf("%s: %+v, %v", body, res, err)
			continue
		}
		if out := string(openai.Codec{}.EncodeResponse(nil, res, aReply(nil))); out[:10] != `{"error":{` {
			t.Errorf("written as %s", out)
		}
	}
	for _, body := range []string{`{"choices":[]}`, `{"choices":null}`, `[]`, `{`, ``} {
		if _, err := (openai.Codec{}).DecodeResponse([]byte(body)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
