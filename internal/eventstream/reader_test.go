package eventstream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/eventstream"
)

// fixtures are the recorded streams, by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../integration/testdata/fixtures/bedrock/*.eventstream.bin")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	streams := make(map[string][]byte, len(paths))
	for _, path := range paths {
		if streams[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return streams
}

// sized hands out at most size bytes at a time.
type sized struct {
	src  io.Reader
	size int
}

func (s sized) Read(p []byte) (int, error) { return s.src.Read(p[:min(len(p), s.size)]) }

// frames reads everything; the kinds are type and payload of each frame.
func frames(src io.Reader) (kinds []string, err error) {
	r := eventstream.NewReader(src, 0)
	var f eventstream.Frame
	for {
		if err := r.Next(&f); err != nil {
			return kinds, err
		}
		kinds = append(kinds, string(f.MessageType)+" "+string(f.EventType)+string(f.ExceptionType)+string(f.ErrorCode)+" "+string(f.Payload))
	}
}

func TestFixturesAtAnyChunking(t *testing.T) {
	for name, stream := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			want, wantErr := frames(bytes.NewReader(stream))
			if len(want) == 0 {
				t.Fatalf("no frames: %v", wantErr)
			}
			cut := name == "converse-stream-truncated.eventstream.bin"
			if cut && !errors.Is(wantErr, io.ErrUnexpectedEOF) || !cut && !errors.Is(wantErr, io.EOF) {
				t.Errorf("the stream ended with %v", wantErr)
			}
			for _, size := range []int{1, 7, 64, 1000} {
				got, err := frames(sized{bytes.NewReader(stream), size})
				if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
					t.Errorf("%d bytes at a time: %v: %s", size, err, diff)
				}
			}
		})
	}
}

// TestEveryFlippedBitIsSeen is what the two CRCs are for.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	frame := eventstream.AppendEvent(nil, "contentBlockDelta", []byte(`{"delta":{"text":"a"}}`))
	for i := range len(frame) * 8 {
		broken := bytes.Clone(frame)
		broken[i/8] ^= 1 << (i % 8)
		if _, err := frames(bytes.NewReader(broken)); !errors.Is(err, eventstream.ErrMalformed) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
}

func TestEveryCutIsSeen(t *testing.T) {
	frame := eventstream.AppendEvent(nil, "messageStop", []byte(`{}`))
	for i := range frame {
		want := io.ErrUnexpectedEOF
		if i == 0 {
			want = io.EOF
		}
		if _, err := frames(bytes.NewReader(frame[:i])); !errors.Is(err, want) {
			t.Fatalf("cut after %d bytes: %v", i, err)
		}
	}
}

// raw is a frame with right CRCs around any lengths.
func raw(total, headers uint32, rest []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = binary.BigEndian.AppendUint32(b, headers)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(b, rest...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestRefused(t *testing.T) {
	headers := func(b ...byte) []byte { return raw(uint32(16+len(b)), uint32(len(b)), b) }
	for _, tt := range []struct {
		name  string
		bytes []byte
	}{
		{"shorter than a frame", raw(15, 0, nil)},
		{"headers longer than the frame", raw(16, 1, nil)},
		{"longer than the limit", raw(eventstream.MaxFrame+1, 0, nil)},
		{"a header without a name", headers(0, 0)},
		{"a name that is cut", headers(5, 'a')},
		{"a header without a type", headers(1, 'a')},
		{"an unknown type", headers(1, 'a', 10)},
		{"a number that is cut", headers(1, 'a', 4, 0, 0)},
		{"a length that is cut", headers(1, 'a', 7, 0)},
		{"a string that is cut", headers(1, 'a', 7, 0, 2, 'x')},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := frames(bytes.NewReader(tt.bytes)); !errors.Is(err, eventstream.ErrMalformed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestHeaderTypes(t *testing.T) {
	var h []byte
	want := []eventstream.Header{
		{Name: []byte("t"), Type: 0, Value: []byte{}},
		{Name: []byte("f"), Type: 1, Value: []byte{}},
		{Name: []byte("byte"), Type: 2, Value: []byte{0xff}},
		{Name: []byte("short"), Type: 3, Value: []byte{1, 2}},
		{Name: []byte("int"), Type: 4, Value: []byte{1, 2, 3, 4}},
		{Name: []byte("long"), Type: 5, Value: []byte("12345678")},
		{Name: []byte("bytes"), Type: 6, Value: []byte{9, 8, 7}},
		{Name: []byte(":event-type"), Type: 7, Value: []byte("x")},
		{Name: []byte("time"), Type: 8, Value: []byte("87654321")},
		{Name: []byte("uuid"), Type: 9, Value: []byte("0123456789abcdef")},
	}
	for _, w := range want {
		h = append(append(h, byte(len(w.Name))), w.Name...)
		h = append(h, w.Type)
		if w.Type == 6 || w.Type == 7 {
			h = binary.BigEndian.AppendUint16(h, uint16(len(w.Value)))
		}
		h = append(h, w.Value...)
	}
	var f eventstream.Frame
	if err := eventstream.NewReader(bytes.NewReader(eventstream.AppendFrame(nil, h, []byte("p"))), 0).Next(&f); err != nil {
		t.Fatal(err)
	}
	var got []eventstream.Header
	for header := range f.All() {
		got = append(got, header)
	}
	if diff := cmp.Diff(want, got); diff != "" || string(f.EventType) != "x" || string(f.Payload) != "p" {
		t.Errorf("event type %q, payload %q: %s", f.EventType, f.Payload, diff)
	}
}

func TestSourceErrorComesAfterTheFrames(t *testing.T) {
	frame := eventstream.AppendEvent(nil, "a", []byte("{}"))
	broken := errors.New("connection reset")
	got, err := frames(io.MultiReader(bytes.NewReader(frame), iotest.ErrReader(broken)))
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("%d frames, error %v", len(got), err)
	}
	got, err = frames(iotest.DataErrReader(bytes.NewReader(frame)))
	if len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("%d frames, error %v", len(got), err)
	}
}

// loop repeats b forever.
type loop struct {
	b  []byte
	at int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.b[l.at:])
	l.at = (l.at + n) % len(l.b)
	return n, nil
}

func TestNextDoesNotAllocate(t *testing.T) {
	r := eventstream.NewReader(&loop{b: eventstream.AppendEvent(nil, "contentBlockDelta", []byte(`{"delta":{"text":"a"}}`))}, 0)
	var f eventstream.Frame
	next := func() {
		if err := r.Next(&f); err != nil {
			t.Fatal(err)
		}
	}
	next()
	if got := testing.AllocsPerRun(1000, next); got != 0 {
		t.Errorf("%v allocations for a frame", got)
	}
}

func BenchmarkNext(b *testing.B) {
	frame := eventstream.AppendEvent(nil, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":" weir"},"p":"abcdefghijklmnop"}`))
	r := eventstream.NewReader(&loop{b: frame}, 0)
	var f eventstream.Frame
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if err := r.Next(&f); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, stream := range fixtures(f) {
		f.Add(stream[:min(len(stream), 2000)])
	}
	f.Add(raw(16, 0, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := eventstream.NewReader(sized{bytes.NewReader(data), 5}, 1<<16)
		var frame eventstream.Frame
		read := 0
		for {
			err := r.Next(&frame)
			if err != nil {
				if again := r.Next(&frame); !errors.Is(again, err) {
					t.Fatalf("error %v, then %v", err, again)
				}
				return
			}
			for range frame.All() {
			}
			read += 16 + len(frame.Headers) + len(frame.Payload)
			if again := eventstream.AppendFrame(nil, frame.Headers, frame.Payload); !bytes.Equal(again, data[read-len(again):read]) {
				t.Fatalf("a frame that is written otherwise: %q", again)
			}
		}
	})
}
