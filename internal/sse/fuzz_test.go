package sse

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addSeeds(f *testing.F) {
	for _, s := range []string{
		"data: a\n\n", "data: a\r\n\r\n", "data: a\r\rdata: b\r\r\n\n", "\ufeffdata: a\n\n\ufeff", "\xef\xbb",
		": c\n\nid: 1\nevent: x\ndata\ndata:b\n\n\r\r\n", "data: [DONE] \n\n", "{\"error\":1}", "event: a\n\ndata:", "data: x\n\r", "\r\n\r\n\r",
	} {
		f.Add([]byte(s), uint16(1), uint16(3))
	}
	for _, path := range fixtures(f) {
		f.Add([]byte(readFile(f, path)), uint16(7), uint16(100))
	}
}

// FuzzReader compares with the oracle and with itself under another split.
func FuzzReader(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		s := string(stream)
		events := readString(t, s)
		sameAsOracle(t, s, events)

		i := int(a) % (len(s) + 1)
		j := i + int(b)%(len(s)-i+1)
		parts, err := readAll(NewReader(split(s, i, j), 0))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, parts); diff != "" {
			t.Fatalf("%q split at %d and %d: %s", s, i, j, diff)
		}
		drops, err := readAll(NewReader(&dribble{s: s, n: 1 + int(b)%5}, 0))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, drops); diff != "" {
			t.Fatalf("%q in drops: %s", s, diff)
		}
	})
}

// FuzzLimit: what a limit cuts does not depend on how the bytes arrive.
func FuzzLimit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, stream []byte, limit, size uint16) {
		n := 1 + int(limit)%64
		whole, errWhole := readAll(NewReader(bytes.NewReader(stream), n))
		drops, errDrops := readAll(NewReader(&dribble{s: string(stream), n: 1 + int(size)%16}, n))
		if diff := cmp.Diff(whole, drops); diff != "" || (errWhole == nil) != (errDrops == nil) {
			t.Fatalf("%v, %v: %s", errWhole, errDrops, diff)
		}
		for _, g := range whole {
			if len(g.Raw) > n {
				t.Fatalf("%d bytes pass a limit of %d", len(g.Raw), n)
			}
		}
	})
}

// FuzzAppendEvent reads back what was written.
func FuzzAppendEvent(f *testing.F) {
	f.Add("ping", []byte("{}"))
	f.Add("", []byte("a\r\n\rb\n"))
	f.Add("a\nb", []byte(" [DONE]"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		stream := string(AppendEvent(nil, name, data)) + string(AppendComment(nil, string(data)))
		events := readString(t, stream)
		if len(events) != 2 || strings.Contains(stream, "\r") || events[1].HasData || !events[1].Clean {
			t.Fatalf("%q: %v", stream, events)
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if g := events[0]; g.Data != want || g.Name != firstLine(name) || g.Unknown {
			t.Fatalf("%q: %v", stream, g)
		}
	})
}
