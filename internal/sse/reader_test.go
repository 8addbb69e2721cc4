package sse

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func fixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.sse")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	return paths
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestGolden reads recorded streams whole, byte by byte, and split in two at
// every byte, also with a line end that comes late.
func TestGolden(t *testing.T) {
	for _, path := range fixtures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			stream := readFile(t, path)
			want := readString(t, stream)
			sameAsOracle(t, stream, want)
			var b strings.Builder
			for _, g := range want {
				b.WriteString(g.String() + "\n")
			}
			golden := strings.TrimSuffix(path, ".sse") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(readFile(t, golden), b.String()); diff != "" {
				t.Error(diff)
			}
			splitEverywhere(t, stream, want)
		})
	}
}

func splitEverywhere(t *testing.T, stream string, want []got) {
	t.Helper()
	r := NewReader(nil, 0)
	check := func(how any, src io.Reader) {
		t.Helper()
		r.Reset(src)
		events, err := readAll(r)
		if err != nil {
			t.Fatalf("%v: %v", how, err)
		}
		if !slices.Equal(want, events) { // cmp is slow, and there are thousands
			t.Fatalf("%v: %s", how, cmp.Diff(want, events))
		}
	}
	check("one byte at a time", iotest.OneByteReader(strings.NewReader(stream)))
	check("error with the data", iotest.DataErrReader(strings.NewReader(stream)))
	for i := range len(stream) {
		check(i, split(stream, i))
	}
}

// TestLineEnds turns every fixture's line ends into each other kind: the fields
// stay the same.
func TestLineEnds(t *testing.T) {
	for _, path := range fixtures(t) {
		lf := strings.ReplaceAll(readFile(t, path), "\r\n", "\n")
		want := readString(t, lf)
		for _, end := range []string{"\r\n", "\r"} {
			stream := strings.ReplaceAll(lf, "\n", end)
			events := readString(t, stream)
			sameAsOracle(t, stream, events)
			if end == "\r\n" {
				for i, g := range events {
					if g.Clean != want[i].Clean {
						t.Errorf("%s: event %d with CRLF: %v", path, i, g)
					}
				}
			}
			if len(stream) < 2<<10 { // the work grows with the square
				splitEverywhere(t, stream, events)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("connection reset")
	var ev Event

	r := NewReader(&chunks{parts: [][]byte{[]byte("data: a\n\ndata: b\n\ndata: c\n")}, err: broken}, 0)
	for _, want := range []string{"a", "b"} {
		if err := r.Next(&ev); err != nil || string(ev.Data) != want {
			t.Fatalf("got %q, %v, want %s", ev.Data, err, want)
		}
	}
	for range 2 {
		if err := r.Next(&ev); err != broken || ev.Raw != nil || ev.HasData {
			t.Fatalf("got %v with %q", err, ev.Raw)
		}
	}

	// What net/http says of a cut body is not an unfinished event.
	r.Reset(&chunks{parts: [][]byte{[]byte("data: c")}, err: io.ErrUnexpectedEOF})
	if err := r.Next(&ev); err != io.ErrUnexpectedEOF || ev.Raw != nil || r.SourceErr() != io.ErrUnexpectedEOF {
		t.Errorf("cut: %v with %q, source %v", err, ev.Raw, r.SourceErr())
	}
	r.Reset(split("data: c"))
	if err := r.Next(&ev); err != io.ErrUnexpectedEOF || string(ev.Data) != "c" || r.SourceErr() != io.EOF {
		t.Errorf("unfinished: %v with %q, source %v", err, ev.Data, r.SourceErr())
	}
	if err := r.Next(&ev); err != io.EOF || ev.Raw != nil {
		t.Errorf("after the end: %v with %q", err, ev.Raw)
	}

	// A blank line whose CR came last is complete although the source broke.
	r.Reset(&chunks{parts: [][]byte{[]byte("data: d\r\n\r")}, err: broken})
	if err := r.Next(&ev); err != nil || string(ev.Data) != "d" {
		t.Errorf("broken after CR: %v with %q", err, ev.Data)
	}

	r.Reset(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: e\n\n"))))
	if err := r.Next(&ev); err != iotest.ErrTimeout {
		t.Errorf("timeout: %v", err)
	}
	r.Reset(stuck{})
	if err := r.Next(&ev); err != io.ErrNoProgress {
		t.Errorf("stuck: %v", err)
	}
	r.Reset(liar{})
	if err := r.Next(&ev); err != errBadCount {
		t.Errorf("liar: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

type liar struct{}

func (liar) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestReady(t *testing.T) {
	pipe := &chunks{parts: [][]byte{
		[]byte("data: a\n\ndata: b1\ndata: b2\n\ndata: c1\ndata: c2\n\ndata: d\n"), []byte("\n"),
	}, err: io.EOF}
	r := NewReader(pipe, 0)
	if r.Ready() {
		t.Error("ready before anything was read")
	}
	var ev Event
	for _, want := range []struct {
		data  string
		ready bool
	}{{"a", true}, {"b1\nb2", true}, {"c1\nc2", false}, {"d", false}} {
		if err := r.Next(&ev); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if r.Ready() != want.ready {
				t.Errorf("ready after %q: %v", ev.Data, !want.ready)
			}
		}
		if string(ev.Data) != want.data { // looking ahead leaves the event alone
			t.Errorf("data %q, want %q", ev.Data, want.data)
		}
	}
}

// TestNotHeldBack checks that an event comes as soon as its last byte does: the
// source has no more to give and would fail.
func TestNotHeldBack(t *testing.T) {
	for _, stream := range []string{"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r", ": x\n\n", "\n", "data: a\r\n\n"} {
		src := &chunks{parts: [][]byte{[]byte(stream)}, err: errors.New("read too far")}
		r := NewReader(src, 0)
		var ev Event
		if err := r.Next(&ev); err != nil || r.SourceErr() != nil {
			t.Errorf("%q: %v, source %v", stream, err, r.SourceErr())
		}
	}
}
