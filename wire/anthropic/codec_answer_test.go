package anthropic_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/wiretest"
)

var reply = &wire.Reply{ID: "x1", Model: "asked", InputTokens: 7}

const noUsage = `"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"service_tier":"standard"}`

func TestEncodeResponse(t *testing.T) {
	sealed := func(v wire.Vendor, id, s string) string { return wire.Seal(v, id, s) }
	call := &wire.Call{Name: "f", Arguments: `{"a":1}`}
	for _, tt := range []struct {
		name   string
		choice wire.Choice
		blocks string
		stop   string
	}{
		{"text", wire.Choice{Finish: wire.FinishStop, Blocks: []wire.Block{{Text: "a"}}}, `{"type":"text","text":"a"}`, `"end_turn","stop_sequence":null,"stop_details":null`},
		{"a stop string", wire.Choice{Finish: wire.FinishString, StopString: "x"}, ``, `"stop_sequence","stop_sequence":"x","stop_details":null`},
		{"length", wire.Choice{Finish: wire.FinishLength}, ``, `"max_tokens","stop_sequence":null,"stop_details":null`},
		{"window", wire.Choice{Finish: wire.FinishWindow}, ``, `"model_context_window_exceeded","stop_sequence":null,"stop_details":null`},
		{"pause", wire.Choice{Finish: wire.FinishPause}, ``, `"pause_turn","stop_sequence":null,"stop_details":null`},
		{"policy", wire.Choice{Finish: wire.FinishPolicy, Explanation: "why"}, ``, `"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":"why"}`},
		{"words of refusal", wire.Choice{Finish: wire.FinishStop, Blocks: []wire.Block{{Type: wire.RefusalBlock, Text: "no"}}}, `{"type":"text","text":"no"}`, `"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}`},
		{"calls, though the reason is stop", wire.Choice{Finish: wire.FinishStop, Blocks: []wire.Block{{Type: wire.CallBlock, Call: call}, {Type: wire.CallBlock, Call: &wire.Call{ID: "c", Name: "g"}}}}, `{"type":"tool_use","id":"toolu_x1_0","name":"f","input":{"a":1}},{"type":"tool_use","id":"c","name":"g","input":{}}`, `"tool_use","stop_sequence":null,"stop_details":null`},
		{"a cut call", wire.Choice{Finish: wire.FinishLength, Blocks: []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "c", Name: "g", Arguments: `{"a`}}}}, `{"type":"tool_use","id":"c","name":"g","input":{"_raw":"{\"a"}}`, `"max_tokens","stop_sequence":null,"stop_details":null`},
		{"thinking", wire.Choice{Finish: wire.FinishStop, Blocks: []wire.Block{{Type: wire.ThinkingBlock, Text: "a"}, {Type: wire.ThinkingBlock, Text: "b", Signature: "s", Vendor: wire.VendorAnthropic}, {Type: wire.ThinkingBlock, Signature: "s", Vendor: wire.VendorOpenAI, ID: "rs"}, {Type: wire.RedactedBlock, Signature: "d", Vendor: wire.VendorAnthropic}}}, `{"type":"thinking","thinking":"a","signature":""},{"type":"thinking","thinking":"b","signature":"s"},{"type":"thinking","thinking":"","signature":"` + sealed("openai", "rs", "s") + `"},{"type":"redacted_thinking","data":"d"}`, `"end_turn","stop_sequence":null,"stop_details":null`},
		{"a signed call", wire.Choice{Finish: wire.FinishTools, Blocks: []wire.Block{{Type: wire.CallBlock, Call: call, Signature: "s", Vendor: wire.VendorGemini}}}, `{"type":"thinking","thinking":"","signature":"` + sealed("gemini", "", "s") + `"},{"type":"tool_use","id":"toolu_x1_0","name":"f","input":{"a":1}}`, `"tool_use","stop_sequence":null,"stop_details":null`},
		{"citations", wire.Choice{Finish: wire.FinishStop, Blocks: []wire.Block{{Text: "a", Citations: []wire.Citation{{URL: "u", Title: "t", Text: "c"}, {Title: "doc"}}}}}, `{"type":"text","text":"a","citations":[{"type":"web_search_result_location","cited_text":"c","url":"u","title":"t","encrypted_index":""},{"type":"char_location","cited_text":"","document_index":0,"document_title":"doc","start_char_index":0,"end_char_index":0,"file_id":null}]}`, `"end_turn","stop_sequence":null,"stop_details":null`},
		{"raw blocks", wire.Choice{Finish: wire.FinishStop, Blocks: []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"x"}`}, {Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"y"}`}}}, `{"type":"x"}`, `"end_turn","stop_sequence":null,"stop_details":null`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := anthropic.Codec{}.EncodeResponse(nil, &wire.Response{Choices: []wire.Choice{tt.choice}}, reply)
			want := `{"id":"msg_x1","type":"message","role":"assistant","model":"asked","content":[` + tt.blocks + `],"stop_reason":` + tt.stop + `,` + noUsage + `}`
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("usage and names", func(t *testing.T) {
		res := &wire.Response{ID: "chatcmpl-1", Model: "m", ServiceTier: "priority", Choices: []wire.Choice{{Finish: wire.FinishStop}}}
		res.Usage.Usage = wire.Usage{Input: 100, CacheRead: 30, CacheWrite: 20, Output: 9, Reasoning: 4}
		res.Usage.CacheWrite1h, res.Usage.WebSearches = 5, 2
		want := `{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":50,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":9,"output_tokens_details":{"thinking_tokens":4},"server_tool_use":{"web_search_requests":2,"web_fetch_requests":0},"cache_creation":{"ephemeral_5m_input_tokens":15,"ephemeral_1h_input_tokens":5},"service_tier":"priority"}}`
		if diff := cmp.Diff(want, string(anthropic.Codec{}.EncodeResponse(nil, res, reply))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a failure", func(t *testing.T) {
		got := anthropic.Codec{}.EncodeResponse(nil, &wire.Response{Failure: &wire.Failure{Kind: wire.KindOverloaded, Message: "busy"}}, reply)
		if want := `{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`; string(got) != want {
			t.Error(string(got))
		}
	})
}

func TestDecodeResponse(t *testing.T) {
	got, err := anthropic.Codec{}.DecodeResponse([]byte(`{"id":"msg_1","model":"m","content":[{"type":"text","text":"a","citations":[{"type":"search_result_location","source":"u","title":"t","cited_text":"c"}]},{"type":"tool_use","id":"1","name":"f","input":{"x": 1.0}}],"stop_reason":"tomorrow","usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_creation":{"ephemeral_1h_input_tokens":2},"output_tokens":3,"server_tool_use":{"web_search_requests":4,"web_fetch_requests":5},"service_tier":"batch"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &wire.Response{ID: "msg_1", Model: "m", ServiceTier: "batch", Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "tomorrow", Blocks: []wire.Block{
		{Text: "a", Citations: []wire.Citation{{URL: "u", Title: "t", Text: "c"}}},
		{Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: "f", Arguments: `{"x": 1.0}`}},
	}}}}
	want.Usage = wire.Report{Usage: wire.Usage{Input: 3, CacheWrite: 2, Output: 3}, Reported: true, Details: wire.Details{CacheWrite1h: 2, WebSearches: 4, WebFetches: 5, ServiceTier: "batch"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{``, `[]`, `{}`, `{"content":1}`, `x`} {
		if _, err := (anthropic.Codec{}).DecodeResponse([]byte(body)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: error %v", body, err)
		}
	}
	for body, kind := range map[string]wire.Kind{
		`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`:                                      wire.KindOverloaded,
		`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8 maximum"}}`: wire.KindContextLength,
		`{"type":"error","error":{"type":"authentication_error","message":"x"}}`:                                  wire.KindAuthentication,
		`{"error":"model is loading"}`: wire.KindUpstream,
		`{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"spend_limit"}}}`: wire.KindBudget,
	} {
		res, err := anthropic.Codec{}.DecodeResponse([]byte(body))
		if err != nil || res.Failure == nil || res.Failure.Kind != kind || res.Failure.Message == "" {
			t.Errorf("%s: %+v, error %v", body, res, err)
		}
	}
}

// encode writes events as a client sees them.
func encode(events ...wire.Event) string {
	var out []byte
	enc := anthropic.Codec{}.StreamEncoder(reply)
	for i := range events {
		out = enc.Encode(out, &events[i])
	}
	return string(out)
}

func block(kind wire.BlockType, index int) wire.Event {
	return wire.Event{Kind: wire.EventBlock, Block: kind, Index: index, ID: "1", Name: "f"}
}

func TestEncodeStream(t *testing.T) {
	start := wire.Event{Kind: wire.EventStart, ID: "chatcmpl-1", Model: "m"}
	text := func(index int, s string) wire.Event {
		return wire.Event{Kind: wire.EventDelta, Index: index, Text: []byte(s)}
	}
	end := func(index int) wire.Event { return wire.Event{Kind: wire.EventBlockEnd, Index: index} }
	sign := func(index int, v wire.Vendor) wire.Event {
		return wire.Event{Kind: wire.EventSignature, Index: index, Signature: "s", Vendor: v}
	}
	report := &wire.Report{Usage: wire.Usage{Input: 9, CacheRead: 4, Output: 2}}
	startSSE := event("message_start", `{"type":"message_start","message":{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"service_tier":"standard"}}}`)
	opened := func(i, b string) string {
		return event("content_block_start", `{"type":"content_block_start","index":`+i+`,"content_block":`+b+`}`)
	}
	delta := func(i, d string) string {
		return event("content_block_delta", `{"type":"content_block_delta","index":`+i+`,"delta":`+d+`}`)
	}
	stopped := func(i string) string {
		return event("content_block_stop", `{"type":"content_block_stop","index":`+i+`}`)
	}
	ended := func(reason string) string {
		return event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"`+reason+`","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":2}}`) + event("message_stop", `{"type":"message_stop"}`)
	}
	sealed := wire.Seal(wire.VendorGemini, "", "s")
	emptyCall := `{"type":"tool_use","id":"1","name":"f","input":{}}`
	tail := func(finish wire.Finish) []wire.Event {
		return []wire.Event{{Kind: wire.EventFinish, Finish: finish}, {Kind: wire.EventUsage, Usage: report}, {Kind: wire.EventEnd}}
	}
	for _, tt := range []struct {
		name   string
		events []wire.Event
		want   string
	}{
		{
			"thinking, text, calls",
			append([]wire.Event{
				start, block(wire.ThinkingBlock, 0), text(0, "hm"), sign(0, wire.VendorAnthropic), end(0),
				block(wire.TextBlock, 1), text(1, "a\n\""),
				{Kind: wire.EventCitation, Index: 1, Citation: &wire.Citation{URL: "u"}},
				end(1),
				block(wire.CallBlock, 2), text(2, `{"a"`), text(2, `:1}`), end(2),
			}, tail(wire.FinishStop)...),
			startSSE +
				opened("0", `{"type":"thinking","thinking":"","signature":""}`) + delta("0", `{"type":"thinking_delta","thinking":"hm"}`) + delta("0", `{"type":"signature_delta","signature":"s"}`) + stopped("0") +
				opened("1", `{"type":"text","text":""}`) + delta("1", `{"type":"text_delta","text":"a\n\""}`) + delta("1", `{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"","url":"u","title":"","encrypted_index":""}}`) + stopped("1") +
				opened("2", emptyCall) + delta("2", `{"type":"input_json_delta","partial_json":"{\"a\""}`) + delta("2", `{"type":"input_json_delta","partial_json":":1}"}`) + stopped("2") +
				ended("tool_use"),
		},
		{
			"a signed call after another's raw block",
			append([]wire.Event{
				start,
				{Kind: wire.EventBlock, Block: wire.RawBlock, Vendor: wire.VendorGemini, Raw: "{}"},
				end(0),
				block(wire.CallBlock, 1), sign(1, wire.VendorGemini), text(1, `{}`), end(1),
			}, tail(wire.FinishTools)...),
			startSSE +
				opened("0", `{"type":"thinking","thinking":"","signature":""}`) + delta("0", `{"type":"signature_delta","signature":"`+sealed+`"}`) + stopped("0") +
				opened("1", emptyCall) + delta("1", `{"type":"input_json_delta","partial_json":"{}"}`) + stopped("1") +
				ended("tool_use"),
		},
		{
			"a call without arguments, redacted thinking, a raw block",
			append([]wire.Event{
				start, block(wire.CallBlock, 0), end(0), block(wire.RedactedBlock, 1), sign(1, wire.VendorAnthropic), end(1),
				{Kind: wire.EventBlock, Block: wire.RawBlock, Index: 2, Vendor: wire.VendorAnthropic, Raw: "{\"type\":\n\"x\"}"},
				end(2),
			}, tail(wire.FinishTools)...),
			startSSE + opened("0", emptyCall) + stopped("0") + opened("1", `{"type":"redacted_thinking","data":"s"}`) + stopped("1") +
				"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\ndata: \"x\"}}\n\n" + stopped("2") + ended("tool_use"),
		},
		{
			"a custom call",
			append([]wire.Event{start, {Kind: wire.EventBlock, Block: wire.CallBlock, ID: "1", Name: "f", Custom: true}, text(0, "a"), text(0, "\""), end(0)}, tail(wire.FinishTools)...),
			startSSE + opened("0", emptyCall) + delta("0", `{"type":"input_json_delta","partial_json":"{\"input\":\"a\\\"\"}"}`) + stopped("0") + ended("tool_use"),
		},
		{
			"another choice",
			append([]wire.Event{start, {Kind: wire.EventBlock, Choice: 1}, {Kind: wire.EventDelta, Choice: 1, Text: []byte("x")}, {Kind: wire.EventFinish, Choice: 1, Finish: wire.FinishLength}}, tail(wire.FinishStop)...),
			startSSE + ended("end_turn"),
		},
		{
			"a failure",
			[]wire.Event{start, block(wire.TextBlock, 0), {Kind: wire.EventFail, Failure: &wire.Failure{Kind: wire.KindOverloaded, Message: "busy"}}},
			startSSE + opened("0", `{"type":"text","text":""}`) + event("error", `{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, encode(tt.events...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeStream(t *testing.T) {
	start := event("message_start", `{"type":"message_start","message":{"id":"msg_1","model":"m"}}`)
	opened := func(i, b string) string {
		return event("content_block_start", `{"type":"content_block_start","index":`+i+`,"content_block":`+b+`}`)
	}
	delta := func(i, d string) string {
		return event("content_block_delta", `{"type":"content_block_delta","index":`+i+`,"delta":`+d+`}`)
	}
	closed := func(i string) string {
		return event("content_block_stop", `{"type":"content_block_stop","index":`+i+`}`)
	}
	done := event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`) + event("message_stop", `{"type":"message_stop"}`)
	call := func(arguments string) []wire.Block {
		return []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: "f", Arguments: arguments}}}
	}
	toolUse := `{"type":"tool_use","id":"1","name":"f","input":{}}`
	for _, tt := range []struct {
		name, stream string
		want         []wire.Block
		err          error
	}{
		{"no arguments", start + opened("0", toolUse) + delta("0", `{"type":"input_json_delta","partial_json":""}`) + done, call("{}"), nil},
		{"arguments at once", start + opened("0", `{"type":"tool_use","id":"1","name":"f","input":{"a":1}}`) + done, call(`{"a":1}`), nil},
		{"a block that starts at 3", start + opened("3", toolUse) + delta("3", `{"type":"input_json_delta","partial_json":"{}"}`) + done, call("{}"), nil},
		{"text without a start", start + delta("0", `{"type":"thinking_delta","thinking":"a"}`) + delta("1", `{"type":"text_delta","text":"b"}`) + done, []wire.Block{{Type: wire.ThinkingBlock, Text: "a"}, {Text: "b"}}, nil},
		{"no message_start", opened("0", `{"type":"text","text":"a"}`) + done, []wire.Block{{Text: "a"}}, nil},
		{"input of a server tool", start + opened("0", `{"type":"server_tool_use","input":{},"id":"1"}`) + delta("0", `{"type":"input_json_delta","partial_json":"{\"a\""}`) + delta("0", `{"type":"input_json_delta","partial_json":":1}"}`) + done, []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"server_tool_use","input":{"a":1},"id":"1"}`}}, nil},
		{"compaction", start + opened("0", `{"type":"compaction"}`) + delta("0", `{"type":"compaction_delta","content":"c"}`) + done, []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"compaction","content":"c"}`}}, nil},
		{"redacted thinking", start + opened("0", `{"type":"redacted_thinking","data":"d"}`) + closed("0") + opened("1", `{"type":"thinking","thinking":"","signature":""}`) + delta("1", `{"type":"signature_delta","signature":"s"}`) + closed("1") + done, []wire.Block{{Type: wire.RedactedBlock, Signature: "d", Vendor: wire.VendorAnthropic}, {Type: wire.ThinkingBlock, Signature: "s", Vendor: wire.VendorAnthropic}}, nil},
		{"overlapping calls", start + opened("0", toolUse) + opened("1", `{"type":"tool_use","id":"2","name":"g","input":{}}`) + delta("0", `{"type":"input_json_delta","partial_json":"{\"a\":"}`) + delta("1", `{"type":"input_json_delta","partial_json":"{}"}`) + closed("1") + delta("0", `{"type":"input_json_delta","partial_json":"1}"}`) + closed("0") + done, append(call(`{"a":1}`), wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "2", Name: "g", Arguments: "{}"}}), nil},
		{"text beside a call", start + opened("0", `{"type":"text","text":"a"}`) + opened("1", toolUse) + delta("0", `{"type":"text_delta","text":"b"}`) + delta("1", `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`) + delta("0", `{"type":"text_delta","text":"c"}`) + done, []wire.Block{{Text: "a"}, call(`{"a":1}`)[0], {Text: "bc"}}, nil},
		{"thinking that overlaps", start + opened("0", `{"type":"thinking","thinking":"a","signature":""}`) + opened("1", `{"type":"text","text":"b"}`) + delta("0", `{"type":"signature_delta","signature":"s"}`) + closed("0") + closed("1") + done, []wire.Block{{Type: wire.ThinkingBlock, Text: "a", Signature: "s", Vendor: wire.VendorAnthropic}, {Text: "b"}}, nil},
		{"openrouter's end", start + done + event("data", "[DONE]"), nil, nil},
		{"arguments of nothing", start + delta("0", `{"type":"input_json_delta","partial_json":"{}"}`), nil, wire.ErrMalformed},
		{"a block after the reason", start + event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`) + opened("0", toolUse), nil, wire.ErrMalformed},
		{"no JSON", start + event("ping", "x"), nil, wire.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, _, err := wiretest.Collect(anthropic.Codec{}.StreamDecoder(), []byte(tt.stream), 0)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v", err)
			}
			var got []wire.Block
			if len(res.Choices) > 0 {
				got = res.Choices[0].Blocks
			}
			if diff := cmp.Diff(tt.want, got); tt.err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, stream := range []string{
		event("error", `{"type":"error","error":{"type":"overloaded_error","message":"x"}}`),
		"data: " + `{"error":{"message":"x","type":"server_error","code":503}}` + "\n\n",
		start + event("error", `{"message":"x"}`) + done,
	} {
		res, events, err := wiretest.Collect(anthropic.Codec{}.StreamDecoder(), []byte(stream), 0)
		if err != nil || res.Failure == nil || res.Failure.Message != "x" || events[0].Kind != wire.EventStart {
			t.Errorf("%s: %+v, error %v", stream, res, err)
		}
	}
}
