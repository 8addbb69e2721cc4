package sse

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLimit(t *testing.T) {
	const limit = 20
	at := "data: 0123456789ab\n\n" // 20 bytes
	tests := []struct {
		name, stream string
		events       int
		fits         bool
	}{
		{"at", at + at, 2, true},
		{"one over", at + "data: 0123456789abc\n\n", 1, false},
		{"no line end", at + strings.Repeat("x", 100), 1, false},
		{"at without a blank line", at + at[:19] + "x", 2, true},
		{"over without a blank line", at + at[:19] + "xx", 1, false},
		{"many lines", strings.Repeat("data\n", 5) + "\n", 0, false},
		{"lone cr at", strings.ReplaceAll(at+at, "\n", "\r"), 2, true},
		{"crlf at", "data: 0123456789\r\n\r\n" + at, 2, true},
		{"crlf over", "data: 0123456789a\r\n\r\n" + at, 0, false},
		{"cr after lf at, lf over", "data: 0123456789ab\n\r\n", 0, false},
		{"cr after lf at, no lf", "data: 0123456789ab\n\r" + at, 2, true},
		{"byte order mark does not count", "\ufeff" + at, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"whole": strings.NewReader(tt.stream),
				"bytes": iotest.OneByteReader(strings.NewReader(tt.stream)),
			} {
				r := NewReader(src, limit)
				events, err := readAll(r)
				if len(events) != tt.events || (err == nil) != tt.fits {
					t.Errorf("%s: %d events, %v", how, len(events), err)
				}
				var long *TooLongError
				if !tt.fits && (!errors.As(err, &long) || long.Limit != limit) {
					t.Errorf("%s: error %v", how, err)
				}
				var ev Event
				if again := r.Next(&ev); !tt.fits && (again != err || r.Ready()) {
					t.Errorf("%s: then %v", how, again)
				}
			}
		})
	}
}

// endless is a line that never ends; it counts what was taken.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.n += len(p)
	return len(p), nil
}

func TestEndlessLine(t *testing.T) {
	src := &endless{}
	r := NewReader(src, 0)
	var ev Event
	var long *TooLongError
	if err := r.Next(&ev); !errors.As(err, &long) || long.Limit != MaxEvent {
		t.Fatalf("error %v", err)
	}
	if src.n > MaxEvent+1 {
		t.Errorf("%d bytes read", src.n)
	}
	if r.buf != nil {
		t.Error("the buffer is kept")
	}
}

// A 15 MB line, also in small pieces: if any byte were looked at twice for each
// read, this test would not end in time.
func TestLongLines(t *testing.T) {
	payload := strings.Repeat("QUJD", 15<<20/4)
	for _, size := range []int{300 << 10, 5 << 20, 15 << 20} {
		stream := "event: image\ndata: " + payload[:size] + "\n\ndata: [DONE]\n\n"
		for _, src := range []io.Reader{strings.NewReader(stream), &dribble{s: stream, n: 37}} {
			events, err := readAll(NewReader(src, 0))
			if err != nil || len(events) != 2 || events[0].Data != payload[:size] || !events[0].Clean {
				t.Fatalf("%d bytes: %d events, %v", size, len(events), err)
			}
		}
	}
}

// dribble yields n bytes at a time.
type dribble struct {
	s string
	n int
}

func (d *dribble) Read(p []byte) (int, error) {
	if d.s == "" {
		return 0, io.EOF
	}
	n := copy(p, d.s[:min(d.n, len(d.s))])
	d.s = d.s[n:]
	return n, nil
}

func TestBufferShrinks(t *testing.T) {
	long := "data: " + strings.Repeat("x", 1<<20) + "\ndata: y\n\n"
	r := NewReader(strings.NewReader(long), 0)
	if _, err := readAll(r); err != nil || len(r.buf) < 1<<20 {
		t.Fatalf("%v, buffer of %d", err, len(r.buf))
	}
	r.Reset(nil)
	if r.buf != nil || cap(r.join[0]) > keptBuffer || cap(r.join[1]) > keptBuffer || r.src != nil {
		t.Error("Reset keeps a large buffer")
	}

	r.Reset(&dribble{s: "data: x\n\n", n: 100})
	if _, err := readAll(r); err != nil || len(r.buf) != firstBuffer {
		t.Fatalf("%v, buffer of %d", err, len(r.buf))
	}
	before := &r.buf[0]
	r.Reset(strings.NewReader("data: y\n\n"))
	if events, err := readAll(r); err != nil || len(events) != 1 || &r.buf[0] != before {
		t.Errorf("%d events, %v; a small buffer is not reused", len(events), err)
	}

	// A stream that once carried an image goes on for an hour.
	small := strings.Repeat("data: x\n\n", 10*calmFills)
	r.Reset(io.MultiReader(strings.NewReader(long), &dribble{s: small, n: 18}))
	if events, err := readAll(r); err != nil || len(events) != 1+10*calmFills || len(r.buf) != firstBuffer {
		t.Errorf("%d events, %v, buffer of %d", len(events), err, len(r.buf))
	}
}

func TestNoAllocations(t *testing.T) {
	stream := readFile(t, "testdata/openrouter-chat-stream-toolresult-comments-stream-options.sse") +
		"event: x\nid: 1\ndata: a\ndata: b\n\r\n"
	src := strings.NewReader("")
	r := NewReader(src, 0)
	var ev Event
	run := func() {
		src.Reset(stream)
		r.Reset(src)
		for r.Next(&ev) == nil {
			r.Ready()
		}
	}
	run()
	run() // both join buffers exist now
	if n := testing.AllocsPerRun(50, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
	dst := make([]byte, 0, 256)
	data := []byte("{\"a\":1}\nx\ry")
	if n := testing.AllocsPerRun(50, func() {
		dst = AppendEvent(dst[:0], "name", data)
		dst = AppendComment(dst, "a\nb")
	}); n != 0 {
		t.Errorf("%v allocations in writing", n)
	}
}
