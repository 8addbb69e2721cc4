package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/weirproxy/weir/records/ledger"
)

// ids reads everything that can be read.
func ids(t testing.TB, b []byte) (list []string, gaps int, skipped int64) {
	t.Helper()
	r := reader{file: bytes.NewReader(b), limit: int64(len(b))}
	for {
		f, err := r.next()
		if errors.Is(err, io.EOF) {
			return list, r.gaps, r.skipped
		}
		if err != nil {
			t.Fatal(err)
		}
		row, err := ledger.DecodeRow(f.payload)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, row.RequestID)
	}
}

func frames(n int) (b []byte, ends []int) {
	for i := range n {
		r := row(fmt.Sprintf("req_%d", i), 1)
		b = appendRow(b, kindRow, &r)
		ends = append(ends, len(b))
	}
	return b, ends
}

// TestTornAtEveryByte cuts the last frame everywhere.
func TestTornAtEveryByte(t *testing.T) {
	b, ends := frames(3)
	for cut := ends[1]; cut < len(b); cut++ {
		list, gaps, _ := ids(t, b[:cut])
		if want := min(1, cut-ends[1]); len(list) != 2 || gaps != want {
			t.Fatalf("cut at %d: %v, %d gaps", cut, list, gaps)
		}
	}
}

// TestDamageAtEveryByte changes each byte of the middle frame: the frames on
// both sides of it are found.
func TestDamageAtEveryByte(t *testing.T) {
	b, ends := frames(3)
	for i := ends[0]; i < ends[1]; i++ {
		for _, flip := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(b)
			damaged[i] ^= flip
			list, gaps, skipped := ids(t, damaged)
			if fmt.Sprint(list) != "[req_0 req_2]" || gaps != 1 || skipped != int64(ends[1]-ends[0]) {
				t.Fatalf("byte %d ^ %x: %v, %d gaps, %d bytes skipped", i, flip, list, gaps, skipped)
			}
		}
	}
}

// TestReaderWindows reads more than is read at once, with damage across the
// border of two windows.
func TestReaderWindows(t *testing.T) {
	b, ends := frames(8000)
	if len(b) < 3*window {
		t.Fatal("too few")
	}
	if list, gaps, _ := ids(t, b); len(list) != 8000 || gaps != 0 {
		t.Errorf("%d rows, %d gaps", len(list), gaps)
	}
	for i := window - 600; i < window+600; i++ {
		b[i] = 0
	}
	lost := 0
	for i, end := range ends {
		begin := 0
		if i > 0 {
			begin = ends[i-1]
		}
		if end > window-600 && begin < window+600 {
			lost++
		}
	}
	if list, gaps, _ := ids(t, b); len(list) != 8000-lost || gaps != 1 {
		t.Errorf("%d rows, not %d; %d gaps", len(list), 8000-lost, gaps)
	}
}

func TestNamesLookLikeNoFrames(t *testing.T) {
	evil := row("req_0", 1)
	evil.Model = mark + "r\x01\x00\x00\x00"
	evil.Clean()
	if bytes.Contains([]byte(evil.Model), []byte(mark)) {
		t.Errorf("a client wrote the mark into the journal: %q", evil.Model)
	}
}

// FuzzReader holds that no file makes the reader fail or loop, and that frames
// behind any rubbish are found.
func FuzzReader(f *testing.F) {
	b, _ := frames(2)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add([]byte(mark))
	f.Add(append([]byte(mark+"r\xff\xff\x00\x00\x00\x00\x00\x00"), b...))
	f.Fuzz(func(t *testing.T, rubbish []byte) {
		last := row("last", 1)
		file := appendRow(bytes.Clone(rubbish), kindRow, &last)
		r := reader{file: bytes.NewReader(file), limit: int64(len(file))}
		got := found{open: map[string]*running{}}
		id := ""
		for {
			fr, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if row := got.apply(fr); row != nil {
				id = row.RequestID
			}
		}
		if id != "last" {
			t.Fatalf("the frame behind %x is lost, the last was %q", rubbish, id)
		}
		if r.offset() != int64(len(file)) {
			t.Fatalf("stopped at %d of %d", r.offset(), len(file))
		}
	})
}

// FuzzPosition holds that a damaged position is none.
func FuzzPosition(f *testing.F) {
	f.Add([]byte("0000000000000003 42 00000000\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		fs := newFakeFS()
		fs.names["/d/"+positionName] = &inode{data: content}
		if p := loadPosition(fs, "/d"); p.off < 0 {
			t.Fatalf("%q: %+v", content, p)
		}
	})
}
