package handlers

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/weirproxy/weir/wire"
)

// boxed is a parcel of pieces in a payload of its own.
func boxed(pieces ...string) (*parcel, *payload) {
	from := newPayload()
	for _, piece := range pieces {
		from.bytes = append(from.bytes, piece...)
	}
	p := newParcel(from)
	at := 0
	var parts [][]byte
	for _, piece := range pieces {
		parts = append(parts, from.bytes[at:at+len(piece)])
		at += len(piece)
	}
	p.fill(parts)
	return p, from
}

// TestParcelReaders holds that each reader gives the whole body, in whatever
// way it is read.
func TestParcelReaders(t *testing.T) {
	const text = `{"model":"m","messages":[]}`
	p, _ := boxed(`{"model":`, `"m"`, `,"messages":[]}`)
	defer p.release()
	if p.size != int64(len(text)) {
		t.Errorf("size %d", p.size)
	}
	for name, r := range map[string]*parcelReader{"first": p.firstReader(), "second": p.reader()} {
		if err := iotest.TestReader(r, []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = r.Close()
	}
	for skip := range len(text) + 1 {
		r := p.reader()
		if _, err := io.CopyN(io.Discard, onlyReader{r}, int64(skip)); err != nil {
			t.Fatal(err)
		}
		if got := string(bytes.Join(r.Parts(nil), nil)); got != text[skip:] {
			t.Errorf("parts after %d: %q", skip, got)
		}
		var b bytes.Buffer
		if n, err := r.WriteTo(&b); err != nil || n != int64(len(text)-skip) || b.String() != text[skip:] {
			t.Errorf("written after %d: %d, %v, %q", skip, n, err, b.String())
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("at the end: %d, %v", n, err)
		}
		_ = r.Close()
	}
}

type onlyReader struct{ io.Reader }

// TestParcelHolds holds that the memory that a parcel lies in is held by it
// and by each reader until that is closed.
func TestParcelHolds(t *testing.T) {
	p, from := boxed("a", "b")
	first, second := p.firstReader(), p.reader()
	held := func(want int32) {
		t.Helper()
		if n := from.refs.Load(); n != want {
			t.Errorf("%d references, want %d", n, want)
		}
	}
	held(3)
	_ = first.Close()
	_ = first.Close()
	held(2)
	p.release()
	held(1)
	if got, _ := io.ReadAll(second); string(got) != "ab" {
		t.Errorf("read %q", got)
	}
	held(1)
	_ = second.Close()
	held(0)
	(*parcel)(nil).release()
}

// TestParcelJoin holds that a body which is read here becomes one piece in
// memory of its own, and lets go of the rest.
func TestParcelJoin(t *testing.T) {
	p, from := boxed("a", "b")
	p.join()
	if len(p.pieces) != 1 || string(p.pieces[0]) != "ab" || p.size != 2 || from.refs.Load() != 0 || p.from == from {
		t.Errorf("pieces %q, size %d, %d references", p.pieces, p.size, from.refs.Load())
	}
	before := p.from
	p.join()
	if p.from != before || before.refs.Load() != 1 {
		t.Error("one piece was joined")
	}
	p.release()
}

// TestPackShares holds that a body of the client's dialect is sent from where
// it was read to.
func TestPackShares(t *testing.T) {
	body := []byte(`{"model":"chat","messages":[{"role":"user","content":"hi"}]}`)
	var e wire.Envelope
	if err := e.Decode(wire.Chat, body); err != nil {
		t.Fatal(err)
	}
	p := newParcel(newPayload())
	defer p.release()
	p.fill(e.Apply(p.pieces, wire.Rewrite{Model: "other"}))
	if len(p.pieces) != 3 || &p.pieces[0][0] != &body[0] || &p.pieces[2][0] != &body[15] {
		t.Errorf("%q", p.pieces)
	}
	if &p.pieces[0] != &p.room[0] || !slices.Equal(p.pieces[1], []byte(`"other"`)) {
		t.Errorf("%q, not in its room", p.pieces)
	}
}

// TestParcelClosedWhileRead holds that memory which is given away is not read any
// more: HTTP/2 closes a request's body on another goroutine than it reads it.
func TestParcelClosedWhileRead(t *testing.T) {
	for name, read := range map[string]func(*parcelReader) error{
		"read":    func(r *parcelReader) error { _, err := r.Read(make([]byte, 8)); return err },
		"written": func(r *parcelReader) error { _, err := r.WriteTo(new(bytes.Buffer)); return err },
	} {
		for range 100 {
			p, from := boxed(strings.Repeat("a", 1<<10), strings.Repeat("b", 1<<10))
			r := p.firstReader()
			p.release()
			var reader sync.WaitGroup
			begun := make(chan struct{})
			reader.Go(func() {
				close(begun)
				for range 100 {
					_ = read(r)
				}
			})
			<-begun
			_ = r.Close()
			for i := range from.bytes {
				from.bytes[i] = '#' // as the next to have it would
			}
			reader.Wait()
			if err := read(r); !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Fatalf("%s after it was closed: %v", name, err)
			}
		}
	}
}
