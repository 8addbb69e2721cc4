package openai_test

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

// longStream is a stream of 1,000 events, half text, half a call's arguments.
func longStream() []sse.Event {
	var text []byte
	chunk := func(delta, finish string) {
		text = append(text, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"delta":`+delta+`,"logprobs":null,"finish_reason":`+finish+`}],"usage":null,"obfuscation":"abcdefg"}`+"\n\n"...)
	}
	chunk(`{"role":"assistant","content":""}`, "null")
	for i := range 498 {
		chunk(`{"content":" word`+strconv.Itoa(i)+`"}`, "null")
	}
	chunk(`{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}`, "null")
	for i := range 498 {
		chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\"k`+strconv.Itoa(i)+`\":1,"}}]}`, "null")
	}
	chunk(`{}`, `"tool_calls"`)
	text = append(text, "data: [DONE]\n\n"...)
	var events []sse.Event
	reader := sse.NewReader(bytes.NewReader(text), 0)
	for {
		var ev sse.Event
		if reader.Next(&ev) != nil {
			return events
		}
		ev.Data = bytes.Clone(ev.Data)
		events = append(events, ev)
	}
}

func BenchmarkTranslateStream(b *testing.B) {
	events := longStream()
	codec := openai.Codec{}
	reply := &wire.Reply{ID: "r"}
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		decoder, encoder := codec.StreamDecoder(), codec.StreamEncoder(reply)
		emit := func(ev *wire.Event) { out = encoder.Encode(out, ev) }
		for i := range events {
			out = out[:0]
			if err := decoder.Decode(&events[i], emit); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}
