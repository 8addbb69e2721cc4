package responses_test

import (
	"bytes"
	"io"
	"strconv"
	"testing"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

const benchEvents = 1000

func BenchmarkDecodeStream(b *testing.B) {
	var stream []byte
	stream = sse.AppendEvent(stream, "response.created", []byte(`{"type":"response.created","sequence_number":0,"response":{"id":"r","model":"m"}}`))
	for i := range benchEvents {
		stream = sse.AppendEvent(stream, "response.output_text.delta", []byte(`{"type":"response.output_text.delta","sequence_number":`+strconv.Itoa(i)+`,"item_id":"msg_0465b6d1ae1f97c500699f883243a481a3b50b985223592984","output_index":0,"content_index":0,"delta":" w\u00e9ir\n","logprobs":[],"obfuscation":"abcdef"}`))
	}
	stream = sse.AppendEvent(stream, "response.completed", []byte(`{"type":"response.completed","response":{"status":"completed"}}`))
	n := 0
	count := func(*wire.Event) { n++ }
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		reader, dec := sse.NewReader(bytes.NewReader(stream), 0), codec.StreamDecoder()
		var ev sse.Event
		for {
			if err := reader.Next(&ev); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			if err := dec.Decode(&ev, count); err != nil {
				b.Fatal(err)
			}
		}
		if n != benchEvents+5 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEvents, "ns/event")
}

func BenchmarkEncodeStream(b *testing.B) {
	delta := wire.Event{Kind: wire.EventDelta, Text: []byte(" wéir\n")}
	ask := reply(b, askedBody)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		enc := codec.StreamEncoder(ask)
		dst = enc.Encode(dst[:0], &wire.Event{Kind: wire.EventStart, ID: "r"})
		dst = enc.Encode(dst[:0], &wire.Event{Kind: wire.EventBlock})
		for range benchEvents {
			dst = enc.Encode(dst[:0], &delta)
		}
		dst = enc.Encode(dst[:0], &wire.Event{Kind: wire.EventBlockEnd})
		dst = enc.Encode(dst[:0], &wire.Event{Kind: wire.EventEnd})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEvents, "ns/event")
}
