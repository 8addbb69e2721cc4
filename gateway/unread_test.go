package gateway

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// bytesCounted counts bytes, and how often it is given some.
type bytesCounted struct {
	Tokens
	adds, bytes int
}

func (b *bytesCounted) Output(string) OutputCounter { return b }
func (b *bytesCounted) Add(text []byte)             { b.adds++; b.bytes += len(text) }
func (b *bytesCounted) Count() int                  { return b.bytes }
func (b *bytesCounted) Exact() bool                 { return true }

// TestUnread holds that text is not counted as it comes, that none is lost in the
// end, and that what comes after the record is left alone.
func TestUnread(t *testing.T) {
	for _, tc := range []struct {
		name          string
		piece, pieces int
		adds          int // before anybody asks
	}{
		{"a short answer", 10, 20, 0},
		{"one that fills the first size", 128, 8, 0},
		{"one of the second size", 100, 70, 0},
		{"one that fills it again and again", 1000, 100, 12},
		{"a piece larger than any size", 20_000, 1, 1},
		{"large pieces", 20_000, 3, 3},
	} {
		b := new(bytesCounted)
		x := &Exchange{gateway: &Gateway{tokens: b}}
		a := &Attempt{exchange: x}
		x.tried = []*Attempt{a}
		feed := func() {
			_, _ = a.Observe(func(seen *wire.Seen) (wire.Class, error) {
				seen.AddText([]byte(strings.Repeat("x", tc.piece)))
				return 0, nil
			})
		}
		for range tc.pieces {
			feed()
		}
		if b.adds > tc.adds {
			t.Errorf("%s: counted %d times while it came, want %d at most", tc.name, b.adds, tc.adds)
		}
		if n, _ := a.Output(); int(n) != tc.piece*tc.pieces {
			t.Errorf("%s: %d bytes counted of %d", tc.name, n, tc.piece*tc.pieces)
		}
		a.forgetLocked()
		x.settled = true
		if feed(); a.unread != nil {
			t.Errorf("%s: text is kept after the record was made", tc.name)
		}
	}
}

// TestUnreadAllocates holds that a piece of an answer costs no memory.
func TestUnreadAllocates(t *testing.T) {
	b := new(bytesCounted)
	a := &Attempt{exchange: &Exchange{gateway: &Gateway{tokens: b}}}
	a.collect(make([]byte, unreadFirst+1)) // the large size
	text := []byte("a word or two")
	if n := testing.AllocsPerRun(5000, func() { a.collect(text) }); n != 0 {
		t.Errorf("%.0f allocations per piece", n)
	}
}
