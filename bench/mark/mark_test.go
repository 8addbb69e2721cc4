package mark

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestRoundTrip(t *testing.T) {
	for _, m := range []Mark{{}, {ID: 1, Number: 2, At: 3}, {ID: 0xffffffff, Number: 999999, At: 1<<63 - 1}} {
		b := Append(nil, m)
		if len(b) != Size {
			t.Errorf("%q has %d bytes, want %d", b, len(b), Size)
		}
		if got, ok := parse(b); !ok || got != m {
			t.Errorf("%q is read as %v, %v", b, got, ok)
		}
	}
}

// TestPieces holds that marks are found however reads cut the bytes, also
// after text that only begins like a mark.
func TestPieces(t *testing.T) {
	want := []Mark{{ID: 7, Number: 0, At: 11}, {ID: 7, Number: 1, At: 12}, {ID: 7, Number: 2, At: 13}}
	text := []byte(`data: {"a@b":"`)
	text = append(Append(text, want[0]), `","@0000`...)
	text = append(Append(text, want[1]), `@@`...)
	text = append(Append(text, want[2]), `@`...)
	for size := 1; size <= len(text); size++ {
		var r Reader
		var got []Mark
		for piece := range slices.Chunk(text, size) {
			r.Feed(piece, func(m Mark) { got = append(got, m) })
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d: %s", size, diff)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		got  []int
		want Faults
	}{
		"good":                {[]int{0, 1, 2, 3}, Faults{}},
		"nothing":             {nil, Faults{Lost: 4}},
		"lost at the end":     {[]int{0, 1, 2}, Faults{Lost: 1}},
		"lost at the start":   {[]int{1, 2, 3}, Faults{Lost: 1}},
		"lost amid":           {[]int{0, 3}, Faults{Lost: 2}},
		"doubled":             {[]int{0, 1, 1, 2, 3}, Faults{Doubled: 1}},
		"all again":           {[]int{0, 1, 2, 3, 0, 1, 2, 3}, Faults{Doubled: 4}},
		"swapped":             {[]int{0, 2, 1, 3}, Faults{Reordered: 1}},
		"lost and doubled":    {[]int{0, 0, 2, 3}, Faults{Lost: 1, Doubled: 1}},
		"another's":           {[]int{0, 1, -1, 2, 3}, Faults{Foreign: 1}},
		"another's instead":   {[]int{0, 1, -2, 3}, Faults{Foreign: 1, Lost: 1}},
		"late and then again": {[]int{0, 3, 1, 1, 2}, Faults{Reordered: 2, Doubled: 1}},
		"more than were sent": {[]int{0, 1, 2, 3, 4}, Faults{Doubled: 1}},
	} {
		var c Check
		for range 2 { // the second time with what the first left behind
			c.Begin()
			for _, n := range tc.got {
				m := Mark{ID: 9, Number: n}
				if n < 0 {
					m = Mark{ID: 8, Number: -n}
				}
				c.Note(m)
			}
			if got := c.End(4); got != tc.want {
				t.Errorf("%s: %+v, want %+v", name, got, tc.want)
			}
		}
	}
}

func TestBroken(t *testing.T) {
	var c Check
	c.Begin()
	for _, n := range []int{0, 1, 4} {
		c.Note(Mark{ID: 1, Number: n})
	}
	if got, want := c.Broken(), (Faults{Lost: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(Append([]byte("x@"), Mark{ID: 1, Number: 2, At: 3}), 3)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size <= 0 {
			return
		}
		var whole, pieces []Mark
		var a, b Reader
		a.Feed(text, func(m Mark) { whole = append(whole, m) })
		for piece := range slices.Chunk(text, size) {
			b.Feed(piece, func(m Mark) { pieces = append(pieces, m) })
		}
		if diff := cmp.Diff(whole, pieces); diff != "" {
			t.Error(diff)
		}
	})
}
