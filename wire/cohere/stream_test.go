package cohere_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/cohere"
	"github.com/weirproxy/weir/wire/wiretest"
)

func event(kind, rest string) string {
	return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + rest + "}\n\n"
}

func message(kind, index, m string) string {
	return event(kind, `,"index":`+index+`,"delta":{"message":{`+m+`}}`)
}

func end(finish string) string {
	return event("message-end", `,"delta":{"finish_reason":"`+finish+`","usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":10,"output_tokens":20,"reasoning_tokens":5},"cached_tokens":4}}`)
}

const (
	begin = "event: message-start\ndata: {\"id\":\"x\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\n"
	done  = "data: [DONE]\n\n"
)

func TestDecodeStream(t *testing.T) {
	usage := wire.Report{Usage: wire.Usage{Input: 10, Output: 20, CacheRead: 4, Reasoning: 5}, Reported: true}
	textStart := message("content-start", "0", `"content":{"type":"text","text":""}`)
	textDelta := message("content-delta", "0", `"content":{"text":"a"}`)
	for _, tt := range []struct {
		name, stream string
		want         wire.Choice
		err          error
	}{
		{"text", begin + textStart + textDelta + textDelta + event("content-end", `,"index":0`) + end("COMPLETE") + done, wire.Choice{Finish: wire.FinishStop, Native: "COMPLETE", Blocks: []wire.Block{text("aa")}}, nil},
		{"without [DONE]", begin + textStart + textDelta + end("MAX_TOKENS"), wire.Choice{Finish: wire.FinishLength, Native: "MAX_TOKENS", Blocks: []wire.Block{text("a")}}, nil},
		{"without a start", begin + textDelta + end("STOP_SEQUENCE") + done, wire.Choice{Finish: wire.FinishString, Native: "STOP_SEQUENCE", Blocks: []wire.Block{text("a")}}, nil},
		{
			"a plan and its calls", begin + event("tool-plan-delta", `,"delta":{"message":{"tool_plan":"I "}}`) + event("tool-plan-delta", `,"delta":{"message":{"tool_plan":"will"}}`) +
				message("tool-call-start", "0", `"tool_calls":{"id":"1","type":"function","function":{"name":"f","arguments":""}}`) + message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":"{}"}}`) + event("tool-call-end", `,"index":0`) +
				message("tool-call-start", "1", `"tool_calls":{"id":"2","type":"function","function":{"name":"g","arguments":"{\"a\":"}}`) + message("tool-call-delta", "1", `"tool_calls":{"function":{"arguments":"1}"}}`) + event("tool-call-end", `,"index":1`) + end("TOOL_CALL") + done,
			wire.Choice{Finish: wire.FinishTools, Native: "TOOL_CALL", Blocks: []wire.Block{thought("I will"), call("1", "f", "{}"), call("2", "g", `{"a":1}`)}},
			nil,
		},
		{"a plan after thinking", begin + message("content-start", "0", `"content":{"type":"thinking","thinking":"hm"}`) + event("content-end", `,"index":0`) + event("tool-plan-delta", `,"delta":{"message":{"tool_plan":"p"}}`) + message("content-start", "1", `"content":{"type":"text","text":"a"}`) + event("content-end", `,"index":1`) + end("COMPLETE"), wire.Choice{Finish: wire.FinishStop, Native: "COMPLETE", Blocks: []wire.Block{thought("hm"), thought("p"), text("a")}}, nil},
		{"sources", begin + textStart + textDelta + message("citation-start", "0", `"citations":{"start":0,"end":1,"text":"a","sources":[{"type":"document","id":"d","document":{"title":"t","snippet":"s"}},{"type":"tool","id":"https://x","tool_output":{"content":"c"}}]}`) + event("citation-end", `,"index":0`) + end("COMPLETE"), wire.Choice{Finish: wire.FinishStop, Native: "COMPLETE", Blocks: []wire.Block{{Type: wire.TextBlock, Text: "a", Citations: []wire.Citation{{Title: "t", Text: "s", End: 1}, {URL: "https://x", Text: "c", End: 1}}}}}, nil},
		{
			"overlapping calls", begin + message("tool-call-start", "0", `"tool_calls":{"id":"1","type":"function","function":{"name":"f","arguments":""}}`) + message("tool-call-start", "1", `"tool_calls":{"id":"2","type":"function","function":{"name":"g","arguments":""}}`) +
				message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":"{}"}}`) + message("tool-call-delta", "1", `"tool_calls":{"function":{"arguments":"{\"a\":1}"}}`) + event("tool-call-end", `,"index":1`) + event("tool-call-end", `,"index":0`) + end("TOOL_CALL"),
			wire.Choice{Finish: wire.FinishTools, Native: "TOOL_CALL", Blocks: []wire.Block{call("1", "f", "{}"), call("2", "g", `{"a":1}`)}},
			nil,
		},
		{
			"overlapping calls without their ends", begin + message("tool-call-start", "0", `"tool_calls":{"id":"1","type":"function","function":{"name":"f","arguments":""}}`) + message("tool-call-start", "1", `"tool_calls":{"id":"2","type":"function","function":{"name":"g","arguments":""}}`) +
				message("tool-call-delta", "1", `"tool_calls":{"function":{"arguments":"{\"a\":1}"}}`) + end("TOOL_CALL"),
			wire.Choice{Finish: wire.FinishTools, Native: "TOOL_CALL", Blocks: []wire.Block{call("1", "f", ""), call("2", "g", `{"a":1}`)}},
			nil,
		},
		{"cut", begin + textStart + textDelta, wire.Choice{Blocks: []wire.Block{text("a")}}, io.ErrUnexpectedEOF},
		{"cut before [DONE]", begin + textStart + textDelta + done, wire.Choice{Blocks: []wire.Block{text("a")}}, io.ErrUnexpectedEOF},
		{"arguments of no call", begin + message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":"1"}}`), wire.Choice{}, wire.ErrMalformed},
		{"no JSON", begin + "data: {\n\n", wire.Choice{}, wire.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, _, err := wiretest.Collect(cohere.Codec{}.StreamDecoder(), []byte(tt.stream), 7)
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			var got wire.Choice
			if len(res.Choices) > 0 {
				got = res.Choices[0]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.err == nil {
				if diff := cmp.Diff(usage, res.Usage); diff != "" || res.ID != "x" {
					t.Error(res.ID, diff)
				}
			}
		})
	}
}

func TestStreamFails(t *testing.T) {
	for _, tt := range []struct {
		name, event string
		want        wire.Kind
	}{
		{"an error at the end", event("message-end", `,"delta":{"error":"it broke","finish_reason":"ERROR"}`), wire.KindUpstream},
		{"a timeout", end("TIMEOUT"), wire.KindTimeout},
		{"a bare message", "data: {\"id\":\"x\",\"message\":\"too many tokens\",\"error_type\":\"TOO_MANY_TOKENS\"}\n\n", wire.KindContextLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, events, err := wiretest.Collect(cohere.Codec{}.StreamDecoder(), []byte(begin+tt.event+done), 0)
			if err != nil || res.Failure == nil || res.Failure.Kind != tt.want || res.Failure.Message == "" {
				t.Errorf("%+v, %v", res.Failure, err)
			}
			var seen wire.Seen
			if class := observe(t, []byte(tt.event), &seen); class != wire.Failed || seen.Failure == nil || seen.Failure.Kind != tt.want {
				t.Errorf("class %06b, %+v", class, seen.Failure)
			}
			out := cohere.Codec{}.StreamEncoder(&wire.Reply{}).Encode(nil, &events[len(events)-1])
			if again, _, err := wiretest.Collect(cohere.Codec{}.StreamDecoder(), out, 0); err != nil || again.Failure == nil || again.Failure.Message != res.Failure.Message {
				t.Errorf("%s: %v", out, err)
			}
		})
	}
}

func TestAnswerOfOtherKinds(t *testing.T) {
	res, err := cohere.Codec{}.DecodeResponse([]byte(`{"id":"x","message":{"role":"assistant","content":[]},"finish_reason":"ERROR"}`))
	if err != nil || res.Failure == nil || res.Failure.Kind != wire.KindUpstream {
		t.Errorf("%+v, %v", res, err)
	}
	res, err = cohere.Codec{}.DecodeResponse([]byte(`{"message":{"tool_plan":"p","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"a"}],"citations":[{"start":0,"end":1,"content_index":1,"sources":[{"type":"document","document":{"title":"d"}}]},{"start":0,"end":1,"content_index":0},{"start":0,"end":1}]},"finish_reason":"COMPLETE"}`))
	want := []wire.Block{thought("p"), thought("t"), {Type: wire.TextBlock, Text: "a", Citations: []wire.Citation{{Title: "d", End: 1}, {End: 1}}}}
	if diff := cmp.Diff(want, res.Choices[0].Blocks); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, body := range []string{`[]`, `{`, `{}`, `{"message":"no"}`} {
		if _, err := (cohere.Codec{}).DecodeResponse([]byte(body)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for name, want := range map[string]wire.Usage{"embed-basic.json": {Input: 7}, "rerank-basic.json": {}} {
		var seen wire.Seen
		if err := (cohere.Door{}).Observer().Answer(fixture(t, name), &seen); err != nil || seen.Usage.Output != want.Output || (seen.Usage.Input > 0) != (want.Input > 0) {
			t.Errorf("%s: %+v, %v", name, seen, err)
		}
	}
}

func TestOwnEvents(t *testing.T) {
	door := cohere.Door{}
	var seen wire.Seen
	if class := observe(t, door.AppendErrorEvent(nil, &wire.Failure{Kind: wire.KindUpstream, Message: "busy"}, &seen), &seen); class != wire.Failed || seen.Failure.Message != "busy" {
		t.Errorf("class %06b, %+v", class, seen.Failure)
	}
	if class := observe(t, door.AppendMetadata(door.AppendHeartbeat(nil), []byte(`{"a":1}`), &seen), &seen); class != 0 {
		t.Errorf("class %06b", class)
	}
}

func TestStreamAllocates(t *testing.T) {
	decoder, encoder := cohere.Codec{}.StreamDecoder(), cohere.Codec{}.StreamEncoder(&wire.Reply{})
	observer := cohere.Door{}.Observer()
	seen := &wire.Seen{Text: func([]byte) {}}
	out := make([]byte, 0, 1024)
	emit := func(ev *wire.Event) { out = encoder.Encode(out[:0], ev) }
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader(message("content-delta", "0", `"content":{"text":" \"weir\""}`)), 0).Next(ev); err != nil {
		t.Fatal(err)
	}
	step := func() {
		if err := decoder.Decode(ev, emit); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(1000, step); got > 2 {
		t.Errorf("%v allocations to translate an event", got)
	}
	watch := func() { _, _ = observer.Event(ev, seen) }
	if got := testing.AllocsPerRun(1000, watch); got != 0 {
		t.Errorf("%v allocations to observe an event", got)
	}
}

func BenchmarkStream(b *testing.B) {
	stream := begin + strings.Repeat(message("content-delta", "0", `"content":{"text":" weir"}`), 1000) + end("COMPLETE") + done
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		decoder, encoder := cohere.Codec{}.StreamDecoder(), cohere.Codec{}.StreamEncoder(&wire.Reply{})
		reader := sse.NewReader(strings.NewReader(stream), 0)
		emit := func(ev *wire.Event) { out = encoder.Encode(out[:0], ev) }
		var ev sse.Event
		for reader.Next(&ev) == nil {
			if err := decoder.Decode(&ev, emit); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1003, "ns/event")
}
