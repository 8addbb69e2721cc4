package sse

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// transcript is 1,000 chat chunks in 174 KB.
func transcript() []byte {
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, "data: {\"id\":\"chatcmpl-9aBcDeFgHiJk\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"+
			"\"model\":\"gpt-4.1-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" w%05d\"}}]}\n\n", i)
	}
	return b.Bytes()
}

func benchmark(b *testing.B, stream []byte, want int, limit int) {
	src := bytes.NewReader(nil)
	r := NewReader(src, 0)
	var ev Event
	var in interface{ Read([]byte) (int, error) } = src
	if limit > 0 {
		in = &limited{src, limit}
	}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(stream)
		r.Reset(in)
		n := 0
		for r.Next(&ev) == nil {
			n++
		}
		if n != want {
			b.Fatal(n)
		}
	}
}

type limited struct {
	src *bytes.Reader
	n   int
}

func (l *limited) Read(p []byte) (int, error) { return l.src.Read(p[:min(len(p), l.n)]) }

func BenchmarkEvents(b *testing.B) {
	stream := transcript()
	crlf := bytes.ReplaceAll(stream, []byte("\n"), []byte("\r\n"))
	named := bytes.ReplaceAll(stream, []byte("data: "), []byte("event: content_block_delta\ndata: "))
	b.Run("174KB", func(b *testing.B) { benchmark(b, stream, 1000, 0) })
	b.Run("CRLF", func(b *testing.B) { benchmark(b, crlf, 1000, 0) })
	b.Run("named", func(b *testing.B) { benchmark(b, named, 1000, 0) })
	b.Run("reads_of_100", func(b *testing.B) { benchmark(b, stream, 1000, 100) })
	b.Run("reads_of_1", func(b *testing.B) { benchmark(b, stream, 1000, 1) })
}

// BenchmarkBufioLines is the usual way, which fails at 64 KB and tells nothing
// about an event: the figure to compare with on the same machine.
func BenchmarkBufioLines(b *testing.B) {
	stream := transcript()
	src := bytes.NewReader(nil)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(stream)
		n := 0
		for s := bufio.NewScanner(src); s.Scan(); {
			if line := s.Bytes(); len(line) == 0 {
				n++
			}
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkLongLine(b *testing.B) {
	stream := []byte("data: " + strings.Repeat("QUJD", 15<<20/4) + "\n\n")
	b.Run("whole", func(b *testing.B) { benchmark(b, stream, 1, 0) })
	b.Run("reads_of_1400", func(b *testing.B) { benchmark(b, stream, 1, 1400) })
}

func BenchmarkAppendEvent(b *testing.B) {
	data := []byte(strings.Repeat("x", 170))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEvent(dst[:0], "content_block_delta", data)
	}
}
