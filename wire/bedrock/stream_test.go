package bedrock_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/bedrock"
	"github.com/weirproxy/weir/wire/wiretest"
)

func delta(index, d string) string {
	return event("contentBlockDelta", `{"contentBlockIndex":`+index+`,"delta":`+d+`}`)
}

func stop(index string) string {
	return event("contentBlockStop", `{"contentBlockIndex":`+index+`}`)
}

func callStart(index, id string) string {
	return event("contentBlockStart", `{"contentBlockIndex":`+index+`,"start":{"toolUse":{"toolUseId":"`+id+`","name":"f"}}}`)
}

const (
	begin    = "event: messageStart\ndata: {\"role\":\"assistant\"}\n\n"
	endTurn  = "event: messageStop\ndata: {\"stopReason\":\"end_turn\"}\n\n"
	metadata = "event: metadata\ndata: {\"usage\":{\"inputTokens\":1,\"outputTokens\":2,\"cacheReadInputTokens\":10,\"cacheWriteInputTokens\":100,\"cacheDetails\":[{\"ttl\":\"1h\",\"inputTokens\":60},{\"ttl\":\"5m\",\"inputTokens\":40}]},\"serviceTier\":{\"type\":\"flex\"}}\n\n"
)

func TestDecodeStream(t *testing.T) {
	usage := wire.Report{Usage: wire.Usage{Input: 111, Output: 2, CacheRead: 10, CacheWrite: 100}, Details: wire.Details{CacheWrite1h: 60, CacheWrite5m: 40, ServiceTier: "flex"}, Reported: true}
	for _, tt := range []struct {
		name, stream string
		want         wire.Choice
		usage        wire.Report
		err          error
	}{
		{"text and usage", begin + delta("0", `{"text":"a"}`) + delta("0", `{"text":"b"}`) + stop("0") + endTurn + metadata, wire.Choice{Finish: wire.FinishStop, Native: "end_turn", Blocks: []wire.Block{text("ab")}}, usage, nil},
		{"no metadata", begin + delta("0", `{"text":"a"}`) + stop("0") + endTurn, wire.Choice{Finish: wire.FinishStop, Native: "end_turn", Blocks: []wire.Block{text("a")}}, wire.Report{}, nil},
		{"cut", begin + delta("0", `{"text":"a"}`), wire.Choice{Blocks: []wire.Block{text("a")}}, wire.Report{}, io.ErrUnexpectedEOF},
		{"blocks without their ends", begin + delta("0", `{"text":"a"}`) + callStart("1", "t") + event("messageStop", `{"stopReason":"tool_use"}`) + metadata, wire.Choice{Finish: wire.FinishTools, Native: "tool_use", Blocks: []wire.Block{text("a"), call("t", "f", "")}}, usage, nil},
		{"overlapping blocks", begin + callStart("0", "t") + callStart("1", "u") + delta("0", `{"toolUse":{"input":"{\"a\":"}}`) + delta("1", `{"toolUse":{"input":"{\"b\":2}"}}`) + delta("2", `{"text":"a"}`) + stop("1") + delta("0", `{"toolUse":{"input":"1}"}}`) + stop("0") + stop("2") + event("messageStop", `{"stopReason":"tool_use"}`) + metadata, wire.Choice{Finish: wire.FinishTools, Native: "tool_use", Blocks: []wire.Block{call("t", "f", `{"a":1}`), call("u", "f", `{"b":2}`), text("a")}}, usage, nil},
		{"overlapping blocks without their ends", begin + callStart("0", "t") + callStart("1", "u") + delta("1", `{"toolUse":{"input":"{}"}}`) + delta("0", `{"toolUse":{"input":"{\"a\":1}"}}`) + event("messageStop", `{"stopReason":"tool_use"}`) + metadata, wire.Choice{Finish: wire.FinishTools, Native: "tool_use", Blocks: []wire.Block{call("t", "f", `{"a":1}`), call("u", "f", `{}`)}}, usage, nil},
		{"a call that ends the turn", begin + callStart("0", "t") + delta("0", `{"toolUse":{"input":"{\"a\""}}`) + delta("0", `{"toolUse":{"input":":1}"}}`) + stop("0") + endTurn, wire.Choice{Finish: wire.FinishTools, Native: "end_turn", Blocks: []wire.Block{call("t", "f", `{"a":1}`)}}, wire.Report{}, nil},
		{"thinking", begin + delta("0", `{"reasoningContent":{"text":"hm"}}`) + delta("0", `{"reasoningContent":{"signature":"si"}}`) + delta("0", `{"reasoningContent":{"signature":"g"}}`) + stop("0") + delta("1", `{"reasoningContent":{"redactedContent":"ZGE="}}`) + delta("1", `{"reasoningContent":{"redactedContent":"dGE="}}`) + stop("1") + endTurn, wire.Choice{Finish: wire.FinishStop, Native: "end_turn", Blocks: []wire.Block{
			{Type: wire.ThinkingBlock, Text: "hm", Signature: "sig", Vendor: wire.VendorAnthropic}, {Type: wire.RedactedBlock, Signature: "data", Vendor: wire.VendorAnthropic},
		}}, wire.Report{}, nil},
		{"a source", begin + delta("0", `{"text":"a"}`) + delta("0", `{"citation":{"title":"t","location":{"web":{"url":"u"}},"sourceContent":[{"text":"s"}]}}`) + stop("0") + endTurn, wire.Choice{Finish: wire.FinishStop, Native: "end_turn", Blocks: []wire.Block{{Type: wire.TextBlock, Text: "a", Citations: []wire.Citation{{URL: "u", Title: "t", Text: "s"}}}}}, wire.Report{}, nil},
		{"a tool of the vendor's own", begin + event("contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"x","name":"n","type":"server_tool_use"}}}`) + delta("0", `{"toolUse":{"input":"{\"q\":"}}`) + delta("0", `{"toolUse":{"input":"1}"}}`) + stop("0") + event("contentBlockStart", `{"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"x"}}}`) + delta("1", `{"toolResult":[{"text":"r"}]}`) + delta("1", `{"toolResult":[{"text":"s"}]}`) + stop("1") + endTurn, wire.Choice{Finish: wire.FinishStop, Native: "end_turn", Blocks: []wire.Block{
			{Type: wire.RawBlock, Vendor: wire.VendorBedrock, Raw: `{"toolUse":{"toolUseId":"x","name":"n","type":"server_tool_use","input":{"q":1}}}`},
			{Type: wire.RawBlock, Vendor: wire.VendorBedrock, Raw: `{"toolResult":{"toolUseId":"x","content":[{"text":"r"},{"text":"s"}]}}`},
		}}, wire.Report{}, nil},
		{"a stop string", begin + event("messageStop", `{"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}}`), wire.Choice{Finish: wire.FinishString, Native: "stop_sequence", StopString: "END"}, wire.Report{}, nil},
		{"an unknown reason after content", begin + delta("0", `{"text":"a"}`) + event("messageStop", `{"stopReason":"new"}`), wire.Choice{Finish: wire.FinishStop, Native: "new", Blocks: []wire.Block{text("a")}}, wire.Report{}, nil},
		{"arguments of no call", begin + delta("0", `{"toolUse":{"input":"{"}}`), wire.Choice{}, wire.Report{}, wire.ErrMalformed},
		{"metadata too early", begin + metadata, wire.Choice{}, wire.Report{}, wire.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, _, err := wiretest.Collect(bedrock.Codec{}.StreamDecoder(), []byte(tt.stream), 5)
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
			if diff := cmp.Diff(tt.usage, res.Usage); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeStreamFails(t *testing.T) {
	for _, stream := range []string{
		event("throttlingException", `{"message":"slow"}`),
		begin + delta("0", `{"text":"a"}`) + event("throttlingException", `{"message":"slow"}`) + stop("0") + endTurn,
	} {
		res, events, err := wiretest.Collect(bedrock.Codec{}.StreamDecoder(), []byte(stream), 0)
		if err != nil || res.Failure == nil || res.Failure.Kind != wire.KindRateLimit || events[len(events)-1].Kind != wire.EventFail {
			t.Errorf("%v, %+v", err, res.Failure)
		}
		encoder := bedrock.Codec{}.StreamEncoder(&wire.Reply{})
		out := encoder.Encode(nil, &events[len(events)-1])
		if string(out) != event("throttlingException", `{"message":"slow"}`) {
			t.Errorf("encoded as %q", out)
		}
	}
}

// long is a stream of n deltas of text.
func long(n int) string {
	return begin + strings.Repeat(delta("0", `{"text":" weir"}`), n) + stop("0") + endTurn + metadata
}

func TestTranslationAllocates(t *testing.T) {
	const n = 1000
	decoder, encoder := bedrock.Codec{}.StreamDecoder(), bedrock.Codec{}.StreamEncoder(&wire.Reply{})
	start, ev := one(t, begin), one(t, delta("0", `{"text":" \"weir\""}`))
	out := make([]byte, 0, 1024)
	emit := func(ev *wire.Event) { out = encoder.Encode(out[:0], ev) }
	if err := decoder.Decode(start, emit); err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(n, func() {
		if err := decoder.Decode(ev, emit); err != nil {
			t.Fatal(err)
		}
	})
	if got > 2 {
		t.Errorf("%v allocations for an event", got)
	}
}

func BenchmarkStream(b *testing.B) {
	stream := long(1000)
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		decoder, encoder := bedrock.Codec{}.StreamDecoder(), bedrock.Codec{}.StreamEncoder(&wire.Reply{})
		reader := sse.NewReader(strings.NewReader(stream), 0)
		emit := func(ev *wire.Event) { out = encoder.Encode(out[:0], ev) }
		var ev sse.Event
		for reader.Next(&ev) == nil {
			if err := decoder.Decode(&ev, emit); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1005, "ns/event")
}
