package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// got is an event with its own copies of the bytes.
type got struct {
	Raw, Name, Data         string
	HasName, HasData        bool
	Unknown, Clean, Partial bool
}

func (g got) String() string {
	var b strings.Builder
	for _, flag := range []struct {
		set  bool
		name string
	}{{g.Clean, "clean"}, {!g.Clean, "unclean"}, {g.Unknown, "unknown"}, {g.Partial, "partial"}} {
		if flag.set {
			b.WriteString(flag.name + " ")
		}
	}
	fmt.Fprintf(&b, "%d bytes", len(g.Raw))
	if g.HasName {
		fmt.Fprintf(&b, " event %q", g.Name)
	}
	if g.HasData {
		fmt.Fprintf(&b, " data %q", g.Data)
	}
	return b.String()
}

func copied(ev *Event) got {
	return got{
		Raw: string(ev.Raw), Name: string(ev.Name), Data: string(ev.Data),
		HasName: ev.Name != nil, HasData: ev.HasData, Unknown: ev.Unknown, Clean: ev.Clean,
	}
}

// readAll reads r to its end; io.EOF and io.ErrUnexpectedEOF with the rest of
// the stream are the good ends.
func readAll(r *Reader) (events []got, err error) {
	var ev Event
	for {
		switch err := r.Next(&ev); {
		case err == nil:
			events = append(events, copied(&ev))
			r.Ready() // looking ahead must not change what follows
		case errors.Is(err, io.EOF):
			return events, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && ev.Raw != nil:
			g := copied(&ev)
			g.Partial = true
			events = append(events, g)
		default:
			return events, err
		}
	}
}

func readString(t *testing.T, s string) []got {
	t.Helper()
	events, err := readAll(NewReader(strings.NewReader(s), 0))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// chunks yields its parts one by one, then err.
type chunks struct {
	parts [][]byte
	err   error
}

func (c *chunks) Read(p []byte) (int, error) {
	for len(c.parts) > 0 && len(c.parts[0]) == 0 {
		c.parts = c.parts[1:]
	}
	if len(c.parts) == 0 {
		return 0, c.err
	}
	n := copy(p, c.parts[0])
	c.parts[0] = c.parts[0][n:]
	return n, nil
}

func split(s string, at ...int) *chunks {
	c := &chunks{err: io.EOF}
	from := 0
	for _, i := range append(at, len(s)) {
		c.parts = append(c.parts, []byte(s[from:i]))
		from = i
	}
	return c
}

// oracle parses a whole stream as the WHATWG HTML standard §9.2.6 tells it, one
// step after the other, but keeps the blocks that the standard drops.
func oracle(s string) (events []got) {
	s = strings.TrimPrefix(s, "\ufeff")
	var cur got
	lines := 0
	for s != "" {
		line, rest, ended := s, "", false
		if i := strings.IndexAny(s, "\r\n"); i >= 0 {
			line, rest, ended = s[:i], s[i+1:], true
			if s[i] == '\r' {
				rest = strings.TrimPrefix(rest, "\n")
			}
		}
		s = rest
		if line == "" && ended {
			events = append(events, cur)
			cur, lines = got{}, 0
			continue
		}
		lines++
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "", "id", "retry":
		case "event":
			cur.Name, cur.HasName = value, true
		case "data":
			if cur.HasData {
				cur.Data += "\n"
			}
			cur.Data += value
			cur.HasData = true
		default:
			cur.Unknown = true
		}
	}
	if lines > 0 {
		cur.Partial = true
		events = append(events, cur)
	}
	return events
}

// sameAsOracle compares the parts of an event that the oracle knows.
func sameAsOracle(t *testing.T, stream string, events []got) {
	t.Helper()
	want := oracle(stream)
	if len(events) != len(want) {
		t.Fatalf("%q: %d events, want %d", stream, len(events), len(want))
	}
	var raw strings.Builder
	for i, g := range events {
		raw.WriteString(g.Raw)
		g.Raw, g.Clean = "", false
		if g != want[i] {
			t.Fatalf("%q: event %d: %v, want %v", stream, i, g, want[i])
		}
	}
	in := strings.TrimPrefix(stream, "\ufeff")
	if out := raw.String(); out != in && !(strings.Contains(in, "\r\r\n") && bytes.Equal(noLF(out), noLF(in))) {
		t.Fatalf("%q: the raw events are %q", stream, out)
	}
}

func noLF(s string) []byte { return bytes.ReplaceAll([]byte(s), []byte("\n"), nil) }
