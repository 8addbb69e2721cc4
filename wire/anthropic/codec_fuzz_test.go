package anthropic_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/wiretest"
)

// FuzzDecodeRequest checks that what was encoded once means the same again.
func FuzzDecodeRequest(f *testing.F) {
	recordedRequests(f, func(_ string, body []byte) { f.Add(body) })
	codec := anthropic.Codec{}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return // an envelope has refused it
		}
		req, err := codec.DecodeRequest(body)
		if err != nil {
			var failure *wire.Failure
			if !errors.As(err, &failure) || failure.Message == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		req.Model = sameModel
		first, err := codec.EncodeRequest(nil, req, wire.NewLoss(req))
		if err != nil {
			return
		}
		one, err := codec.DecodeRequest(first)
		if err != nil {
			t.Fatalf("%v: %s", err, first)
		}
		second, err := codec.EncodeRequest(nil, one, wire.NewLoss(one))
		if err != nil {
			t.Fatalf("%v: %s", err, first)
		}
		two, err := codec.DecodeRequest(second)
		if diff := cmp.Diff(one, two, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v\n%s\n%s\n%s", err, first, second, diff)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	recorded(f, "messages-*.json", func(name string, body []byte) {
		if !strings.HasSuffix(name, ".meta.json") {
			f.Add(body)
		}
	})
	codec := anthropic.Codec{}
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := codec.DecodeResponse(body)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again := codec.EncodeResponse(nil, first, reply)
		second, err := codec.DecodeResponse(again)
		if err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		if (first.Failure == nil) != (second.Failure == nil) || len(first.Choices) != len(second.Choices) {
			t.Errorf("%+v became %+v", first, second)
		}
		if first.Failure == nil {
			sameBlocks(t, first.Choices[0].Blocks, second.Choices[0].Blocks)
		}
	})
}

// sameBlocks compares what blocks say; bytes that are not UTF-8 are replaced.
func sameBlocks(t *testing.T, a, b []wire.Block) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%d blocks became %d", len(a), len(b))
		return
	}
	for i := range a {
		if a[i].Type != b[i].Type || string([]rune(a[i].Text)) != string([]rune(b[i].Text)) || len(a[i].Citations) != len(b[i].Citations) {
			t.Errorf("%+v became %+v", a[i], b[i])
		}
	}
}

func FuzzDecodeStream(f *testing.F) {
	recorded(f, "*.sse", func(_ string, stream []byte) { f.Add(stream, 7) })
	codec := anthropic.Codec{}
	f.Fuzz(func(t *testing.T, stream []byte, chunk int) {
		want, events, err := wiretest.Collect(codec.StreamDecoder(), stream, 0)
		if err != nil && !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err) // a rule of wire.Event is broken
		}
		got, _, _ := wiretest.Collect(codec.StreamDecoder(), stream, max(1, chunk%512))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in chunks: %s", diff)
		}
		if err != nil {
			return
		}
		var out []byte
		enc := codec.StreamEncoder(reply)
		for i := range events {
			out = enc.Encode(out, &events[i])
		}
		again, _, err := wiretest.Collect(codec.StreamDecoder(), out, 0)
		if err != nil || (want.Failure == nil) != (again.Failure == nil) || len(want.Choices) != len(again.Choices) {
			t.Fatalf("%v in\n%s", err, out)
		}
		for i := range want.Choices {
			sameBlocks(t, want.Choices[i].Blocks, again.Choices[i].Blocks)
		}
	})
}

// BenchmarkStream translates a stream of 1,000 deltas, per event.
func BenchmarkStream(b *testing.B) {
	ev := one(b, event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" weir and \"dam\""}}`))
	var events []wire.Event
	var keep wire.Event
	open := func() wire.StreamDecoder {
		d := anthropic.Codec{}.StreamDecoder()
		for _, s := range []string{
			event("message_start", `{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}`),
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		} {
			if err := d.Decode(one(b, s), func(e *wire.Event) { events = append(events, *e) }); err != nil {
				b.Fatal(err)
			}
		}
		return d
	}
	b.Run("decode", func(b *testing.B) {
		d := open()
		emit := func(e *wire.Event) { keep = *e }
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Decode(ev, emit); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		events = nil
		open()
		enc := anthropic.Codec{}.StreamEncoder(reply)
		dst := make([]byte, 0, 4096)
		for i := range events {
			enc.Encode(dst, &events[i])
		}
		keep = wire.Event{Kind: wire.EventDelta, Text: []byte(" weir and \"dam\"")}
		b.ReportAllocs()
		for b.Loop() {
			dst = enc.Encode(dst[:0], &keep)
		}
	})
	b.Run("both", func(b *testing.B) {
		d := open()
		enc := anthropic.Codec{}.StreamEncoder(reply)
		dst := make([]byte, 0, 4096)
		for i := range events {
			enc.Encode(dst, &events[i])
		}
		reader := *ev
		emit := func(e *wire.Event) { dst = enc.Encode(dst[:0], e) }
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Decode(&reader, emit); err != nil {
				b.Fatal(err)
			}
		}
	})
}
