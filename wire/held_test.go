package wire_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// turns is a decoder of blocks that end when they say so.
type turns struct {
	held wire.Held
	doc  wire.Doc
	open int64 // 0: none
	got  []string
}

func (d *turns) inTheWay() bool { return d.open != 0 }

func (d *turns) end() { d.open = 0 }

func (d *turns) read(ev *sse.Event) error {
	at, last := d.doc.IntAt(d.doc.Root, "at"), d.doc.Get(d.doc.Root, "last").Exists()
	if d.inTheWay() && at != d.open {
		return d.held.Keep(at, ev)
	}
	d.open = at
	d.got = append(d.got, string(ev.Data))
	if !last {
		return nil
	}
	d.end()
	return d.held.Release(&d.doc, d.inTheWay, d.read)
}

func (d *turns) feed(t *testing.T, at int, last bool) {
	t.Helper()
	data := fmt.Appendf(nil, `{"at":%d}`, at)
	if last {
		data = fmt.Appendf(nil, `{"at":%d,"last":1}`, at)
	}
	if err := d.doc.Reset(data); err != nil {
		t.Fatal(err)
	}
	if err := d.read(&sse.Event{Data: data, HasData: true}); err != nil {
		t.Fatal(err)
	}
}

func TestHeld(t *testing.T) {
	const one, oneEnds, two, twoEnds, three = `{"at":1}`, `{"at":1,"last":1}`, `{"at":2}`, `{"at":2,"last":1}`, `{"at":3}`
	d := new(turns)
	d.feed(t, 1, false)
	d.feed(t, 2, false)
	d.feed(t, 3, false)
	d.feed(t, 2, true)
	d.feed(t, 1, true) // the second is over with it, and the third is open
	d.feed(t, 1, false)
	d.feed(t, 3, false)
	if diff := cmp.Diff([]string{one, oneEnds, two, twoEnds, three, three}, d.got); diff != "" {
		t.Fatal(diff)
	}
	d.got = nil
	if err := d.doc.Reset([]byte(`{"stop":1}`)); err != nil {
		t.Fatal(err)
	}
	if err := d.held.ReleaseAll(&d.doc, &sse.Event{Data: []byte(`{"stop":1}`)}, d.end, d.read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{one}, d.got); diff != "" || !d.doc.Get(d.doc.Root, "stop").Exists() {
		t.Error(diff, string(d.doc.Data))
	}
}

// TestHeldIsBounded holds that what is kept has a bound, and that reading it takes no
// more steps than there are events, however many blocks they belong to.
func TestHeldIsBounded(t *testing.T) {
	d := new(turns)
	d.feed(t, 1, false)
	const blocks = 50_000
	for n := range blocks {
		d.feed(t, n+2, false)
		d.feed(t, n+2, true)
	}
	d.feed(t, 1, true)
	if len(d.got) != 2*blocks+2 {
		t.Errorf("%d events", len(d.got))
	}
	if last := `{"at":` + strconv.Itoa(blocks+1) + `,"last":1}`; d.got[len(d.got)-1] != last {
		t.Error(d.got[len(d.got)-1])
	}

	ev := &sse.Event{Data: make([]byte, 1<<20)}
	for n := range 17 {
		if err := d.held.Keep(int64(n), ev); (n == 16) != errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("%d MiB: %v", n, err)
		}
	}
}
