package openai_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/wiretest"
)

const finished = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"

func callDelta(members string) string { return delta(`"tool_calls":[{` + members + `}]`) }

func call(id, name, arguments string) wire.Block {
	return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: name, Arguments: arguments}}
}

func thought(text string) wire.Block { return wire.Block{Type: wire.ThinkingBlock, Text: text} }

func TestStreamQuirks(t *testing.T) {
	two := []wire.Block{call("a", "f", `{"x":"{"}`), call("b", "g", `{"y":2}`)}
	for _, tt := range []struct {
		name, stream string
		want         []wire.Block
		finish       wire.Finish
	}{
		{"calls one after the other", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"{\"}"}`) + callDelta(`"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}`), two, wire.FinishTools},
		{"calls in turns", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":""}`) + callDelta(`"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}`) +
			callDelta(`"index":0,"function":{"arguments":"{\"x\":\"{"}`) + callDelta(`"index":1,"function":{"arguments":":2}"}`) + callDelta(`"index":0,"function":{"arguments":"\"}"}`), two, wire.FinishTools},
		{"indexes from 1", callDelta(`"index":1,"id":"a","function":{"name":"f","arguments":"{\"x\":\"{\"}"}`) + callDelta(`"index":2,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}`), two, wire.FinishTools},
		{"one index for all", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"{\"}"}`) + callDelta(`"index":0,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}`), two, wire.FinishTools},
		{"no index", callDelta(`"id":"a","function":{"name":"f","arguments":"{\"x\":"}`) + callDelta(`"function":{"arguments":"\"{\"}"}`) + callDelta(`"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}`), two, wire.FinishTools},
		{"no ids and one index", callDelta(`"index":0,"function":{"name":"f","arguments":"{}"}`) + callDelta(`"index":0,"function":{"name":"g","arguments":"{}"}`), []wire.Block{call("", "f", "{}"), call("", "g", "{}")}, wire.FinishTools},
		{"id and name repeated", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"{"}`) + callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"}"}`), []wire.Block{call("a", "f", "{}")}, wire.FinishTools},
		{"an empty name later", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":""}`) + callDelta(`"index":0,"function":{"name":"","arguments":"{}"}`), []wire.Block{call("a", "f", "{}")}, wire.FinishTools},
		{"the name later", callDelta(`"index":0,"id":"a"`) + callDelta(`"index":0,"function":{"arguments":"{"}`) + callDelta(`"index":0,"function":{"name":"f","arguments":"}"}`), []wire.Block{call("a", "f", "{}")}, wire.FinishTools},
		{"arguments as an object", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}`), []wire.Block{call("a", "f", `{"x":1}`)}, wire.FinishTools},
		{"no arguments", callDelta(`"index":0,"id":"a","function":{"name":"f"}`), []wire.Block{call("a", "f", "")}, wire.FinishTools},
		{"text within a call", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"{"}`) + delta(`"content":"t"`) + callDelta(`"index":0,"function":{"arguments":"}"}`), []wire.Block{call("a", "f", "{}"), {Text: "t"}}, wire.FinishTools},
		{"a custom call", callDelta(`"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"x"}`) + callDelta(`"index":0,"custom":{"input":"y"}`), []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "a", Name: "f", Arguments: "xy", Custom: true}}}, wire.FinishTools},
		{"a function of old", delta(`"function_call":{"name":"f","arguments":""}`) + delta(`"function_call":{"arguments":"{}"}`), []wire.Block{call("", "f", "{}")}, wire.FinishTools},
		{"role and empty content repeated", delta(`"role":"assistant","content":""`) + delta(`"role":"assistant","content":"a"`) + delta(`"role":"assistant","content":"b"`), []wire.Block{{Text: "ab"}}, wire.FinishStop},
		{"reasoning_content", delta(`"reasoning_content":"a","content":null`) + delta(`"reasoning_content":"b"`) + delta(`"reasoning_content":null,"content":"c"`), []wire.Block{thought("ab"), {Text: "c"}}, wire.FinishStop},
		{"reasoning with empty content", delta(`"content":"","reasoning":"a"`) + delta(`"content":"","reasoning":"b"`), []wire.Block{thought("ab")}, wire.FinishStop},
		{
			"details beside the same text", delta(`"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","format":null,"index":0}]`) +
				delta(`"reasoning_details":[{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0}]`),
			[]wire.Block{{Type: wire.ThinkingBlock, Text: "a", Signature: "s", Vendor: wire.VendorAnthropic}},
			wire.FinishStop,
		},
		{
			"encrypted details", delta(`"reasoning_details":[{"type":"reasoning.encrypted","data":"d","format":"anthropic-claude-v1","index":0}]`) + delta(`"content":"a"`),
			[]wire.Block{{Type: wire.RedactedBlock, Signature: "d", Vendor: wire.VendorAnthropic}, {Text: "a"}},
			wire.FinishStop,
		},
		{
			"a summary with its encrypted half", delta(`"reasoning_details":[{"type":"reasoning.summary","summary":"a","format":"openai-responses-v1","index":0}]`) +
				delta(`"reasoning_details":[{"type":"reasoning.encrypted","data":"d","id":"rs","format":"openai-responses-v1","index":0}]`),
			[]wire.Block{{Type: wire.ThinkingBlock, Text: "a", Signature: "d", ID: "rs", Vendor: wire.VendorOpenAI}},
			wire.FinishStop,
		},
		{
			"gemini's signature of a call", callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}`),
			[]wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "a", Name: "f", Arguments: "{}"}, Signature: "s", Vendor: wire.VendorGemini}},
			wire.FinishTools,
		},
		{"mistral's parts", delta(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]`) + delta(`"content":[{"type":"thinking","thinking":[],"closed":true}]`) + delta(`"content":"b"`), []wire.Block{thought("a"), {Text: "b"}}, wire.FinishStop},
		{"content with the finish", `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"length"}]}` + "\n\n" + `data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}],"usage":{"prompt_tokens":1}}` + "\n\n" + "data: [DONE]\n\n", []wire.Block{{Text: "a"}}, wire.FinishLength},
		{"a refusal", delta(`"refusal":"no"`), []wire.Block{{Type: wire.RefusalBlock, Text: "no"}}, wire.FinishPolicy},
		{"azure's first chunk", `data: {"id":"","model":"","choices":[],"prompt_filter_results":[]}` + "\n\n" + delta(`"content":"a"`), []wire.Block{{Text: "a"}}, wire.FinishStop},
		{"no [DONE]", delta(`"content":"a"`) + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"model_length"}]}` + "\n\n", []wire.Block{{Text: "a"}}, wire.FinishWindow},
		{"a word of tomorrow", delta(`"content":"a"`) + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"vanished"}]}` + "\n\n", []wire.Block{{Text: "a"}}, wire.FinishStop},
		{"a native word", delta(`"content":"a"`) + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":"stop_sequence"}]}` + "\n\n", []wire.Block{{Text: "a"}}, wire.FinishString},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stream := tt.stream
			if !strings.Contains(stream, `"finish_reason":"`) {
				stream += finished
			}
			res, _, err := wiretest.Collect(openai.Codec{}.StreamDecoder(), []byte(stream), 0)
			if err != nil {
				t.Fatal(err)
			}
			if res.ID != "c" && res.ID != "" || len(res.Choices) != 1 {
				t.Fatalf("%+v", res)
			}
			if diff := cmp.Diff(tt.want, res.Choices[0].Blocks, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if res.Choices[0].Finish != tt.finish {
				t.Errorf("finish %d, not %d", res.Choices[0].Finish, tt.finish)
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	for _, tt := range []struct {
		name, stream string
		err          error
		kind         wire.Kind
		message      string
	}{
		{"cut before the finish", delta(`"content":"a"`), io.ErrUnexpectedEOF, 0, ""},
		{"a flood of calls", delta(`"tool_calls":[` + strings.Repeat(`{"function":{"name":"f","arguments":"{}"}},`, 1025) + `{}]`), wire.ErrMalformed, 0, ""},
		{"not JSON", "data: {\n\n", wire.ErrMalformed, 0, ""},
		{"an error", delta(`"content":"a"`) + `data: {"error":{"message":"m","code":"rate_limit_exceeded"}}` + "\n\n", nil, wire.KindRateLimit, "m"},
		{"an error by number", `data: {"error":{"message":"m","code":429}}` + "\n\n", nil, wire.KindRateLimit, "m"},
		{"an error that is text", `data: {"error":"m"}` + "\n\n", nil, wire.KindUpstream, "m"},
		{"a named error", "event: error\ndata: {\"message\":\"m\"}\n\n", nil, wire.KindUpstream, "m"},
		{"an error in a choice", `data: {"choices":[{"index":0,"delta":{},"error":{"message":"m","code":503}}]}` + "\n\n", nil, wire.KindOverloaded, "m"},
		{"no error", `data: {"error":null,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n", nil, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, _, err := wiretest.Collect(openai.Codec{}.StreamDecoder(), []byte(tt.stream), 0)
			if !errors.Is(err, tt.err) {
				t.Fatalf("%v, not %v", err, tt.err)
			}
			if tt.message == "" {
				if res.Failure != nil {
					t.Errorf("%+v", res.Failure)
				}
				return
			}
			if res.Failure == nil || res.Failure.Kind != tt.kind || res.Failure.Message != tt.message {
				t.Errorf("%+v", res.Failure)
			}
		})
	}
}

// TestStreamLatency checks that what can go on at once does.
func TestStreamLatency(t *testing.T) {
	decoder := openai.Codec{}.StreamDecoder()
	var told []string
	emit := func(ev *wire.Event) {
		if ev.Kind == wire.EventDelta {
			told = append(told, string(ev.Text))
		}
	}
	for i, step := range []struct{ event, want string }{
		{delta(`"content":"a"`), "a"},
		{callDelta(`"index":0,"id":"a","function":{"name":"f","arguments":"{"}`), "a|{"},
		{callDelta(`"index":1,"id":"b","function":{"name":"g","arguments":"{}"}`), "a|{"},
		{callDelta(`"index":0,"function":{"arguments":"}"}`), "a|{|}|{}"},
	} {
		if err := decoder.Decode(one(t, step.event), emit); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(told, "|"); got != step.want {
			t.Errorf("after event %d: %q, not %q", i, got, step.want)
		}
	}
}
