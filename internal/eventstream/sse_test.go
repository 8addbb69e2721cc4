package eventstream_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/internal/sse"
)

func chunk(event string) []byte {
	return []byte(`{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(event)) + `","p":"abc"}`)
}

func TestSSE(t *testing.T) {
	header := func(pairs ...string) (h []byte) {
		for i := 0; i < len(pairs); i += 2 {
			h = eventstream.AppendHeader(h, pairs[i], pairs[i+1])
		}
		return h
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"an event", eventstream.AppendEvent(nil, "messageStart", []byte(`{"role":"assistant"}`)), "event: messageStart\ndata: {\"role\":\"assistant\"}\n\n"},
		{"an event without a payload", eventstream.AppendEvent(nil, "messageStart", nil), "event: messageStart\ndata: {}\n\n"},
		{"an exception", eventstream.AppendException(nil, "throttlingException", []byte(`{"message":"slow"}`)), "event: throttlingException\ndata: {\"message\":\"slow\"}\n\n"},
		{"an exception of plain text", eventstream.AppendException(nil, "throttlingException", []byte("slow\ndown")), "event: throttlingException\ndata: {\"message\":\"slow\\ndown\"}\n\n"},
		{"an exception without a type", eventstream.AppendFrame(nil, header(":message-type", "exception"), []byte(`{"message":"slow"}`)), "event: error\ndata: {\"message\":\"slow\"}\n\n"},
		{"an error", eventstream.AppendError(nil, "InternalFailure", `it "broke"`), "event: InternalFailure\ndata: {\"message\":\"it \\\"broke\\\"\"}\n\n"},
		{"an invoke chunk", eventstream.AppendEvent(nil, "chunk", chunk(`{"type":"message_stop"}`)), "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
		{"an invoke chunk without a type", eventstream.AppendEvent(nil, "chunk", chunk(`{"completion":"a"}`)), "data: {\"completion\":\"a\"}\n\n"},
		{"an empty invoke chunk", eventstream.AppendEvent(nil, "chunk", chunk("")), "data: {}\n\n"},
		{"a payload of two lines", eventstream.AppendEvent(nil, "messageStop", []byte("{\n}")), "event: messageStop\ndata: {\ndata: }\n\n"},
		{"no type", eventstream.AppendFrame(nil, nil, []byte(`{"a":1}`)), "data: {\"a\":1}\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := io.ReadAll(eventstream.SSE(bytes.NewReader(tt.frame)))
			if err != nil || string(got) != tt.want {
				t.Errorf("%q, want %q; error %v", got, tt.want, err)
			}
		})
	}
}

func TestSSERefusesBrokenChunks(t *testing.T) {
	for _, payload := range []string{`{"bytes":"*"}`, `nonsense`} {
		stream := eventstream.AppendEvent(nil, "a", []byte("{}"))
		stream = eventstream.AppendEvent(stream, "chunk", []byte(payload))
		got, err := io.ReadAll(eventstream.SSE(bytes.NewReader(stream)))
		if !errors.Is(err, eventstream.ErrMalformed) || string(got) != "event: a\ndata: {}\n\n" {
			t.Errorf("%s: %q, %v", payload, got, err)
		}
	}
}

// TestFixturesAsSSE reads the recordings the way the relay does: as many clean
// events as there are frames, and the end of the source as it was.
func TestFixturesAsSSE(t *testing.T) {
	for name, stream := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			kinds, wantErr := frames(bytes.NewReader(stream))
			for _, size := range []int{1, 13, len(stream)} {
				reader := sse.NewReader(sized{eventstream.SSE(sized{bytes.NewReader(stream), size}), size}, 0)
				events := 0
				var ev sse.Event
				for {
					err := reader.Next(&ev)
					if err != nil {
						if !errors.Is(err, wantErr) || len(ev.Raw) != 0 {
							t.Errorf("the end: %v with %q, want %v", err, ev.Raw, wantErr)
						}
						break
					}
					if events++; !ev.Clean || !ev.HasData {
						t.Errorf("event %q", ev.Raw)
					}
				}
				if events != len(kinds) {
					t.Errorf("%d events of %d frames", events, len(kinds))
				}
			}
		})
	}
}

// TestSSEDoesNotWait: what has arrived is handed on before the source is asked
// for more, which for a live stream means waiting for the model.
func TestSSEDoesNotWait(t *testing.T) {
	frame := eventstream.AppendEvent(nil, "a", []byte("{}"))
	read, write := io.Pipe()
	defer read.Close()
	go func() { _, _ = write.Write(append(append([]byte(nil), frame...), frame...)) }()
	body := eventstream.SSE(read)
	buf := make([]byte, 1000)
	n, err := body.Read(buf)
	if want := "event: a\ndata: {}\n\nevent: a\ndata: {}\n\n"; err != nil || string(buf[:n]) != want {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := write.Write(frame); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Close did not reach the source: %v", err)
	}
}

func TestSSEDoesNotAllocate(t *testing.T) {
	for name, frame := range map[string][]byte{
		"a delta": eventstream.AppendEvent(nil, "contentBlockDelta", []byte(`{"delta":{"text":"a"}}`)),
		"a chunk": eventstream.AppendEvent(nil, "chunk", chunk(`{"type":"content_block_delta","delta":{"text":"a"}}`)),
	} {
		body := eventstream.SSE(&loop{b: frame})
		buf := make([]byte, 64)
		read := func() {
			if _, err := io.ReadFull(body, buf); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if got := testing.AllocsPerRun(1000, read); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func BenchmarkSSE(b *testing.B) {
	frame := eventstream.AppendEvent(nil, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":" weir"},"p":"abcdefghijklmnop"}`))
	reader := sse.NewReader(eventstream.SSE(&loop{b: frame}), 0)
	var ev sse.Event
	b.ReportAllocs()
	for b.Loop() {
		if err := reader.Next(&ev); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzSSE: whatever a frame holds, it becomes one event with its bytes.
func FuzzSSE(f *testing.F) {
	f.Add("event", "messageStart", []byte(`{"role":"assistant"}`))
	f.Add("exception", "x", []byte("a\r\nb"))
	f.Add("event", "chunk", chunk(`{"type":"a\nb"}`))
	f.Add("error", "", []byte(""))
	f.Fuzz(func(t *testing.T, messageType, name string, payload []byte) {
		h := eventstream.AppendHeader(nil, ":message-type", messageType)
		for _, member := range []string{":event-type", ":exception-type", ":error-code"} {
			h = eventstream.AppendHeader(h, member, name)
		}
		stream := eventstream.AppendFrame(nil, h, payload)
		stream = eventstream.AppendEvent(stream, "end", []byte("{}"))
		got, err := io.ReadAll(eventstream.SSE(bytes.NewReader(stream)))
		if errors.Is(err, eventstream.ErrMalformed) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		reader := sse.NewReader(bytes.NewReader(got), 0)
		var ev sse.Event
		var names []string
		for reader.Next(&ev) == nil {
			if !ev.HasData {
				t.Errorf("an event without data: %q", ev.Raw)
			}
			names = append(names, string(ev.Name))
		}
		if len(names) != 2 || names[1] != "end" {
			t.Errorf("%q became %s", payload, cmp.Diff([]string{name, "end"}, names))
		}
	})
}
