package journal

import (
	"math/rand/v2"
	"testing"

	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/wire"
)

// left is a journal that a dead process left, segment by segment.
func left(segments map[uint64][]byte) *fakeFS {
	fs := newFakeFS()
	for seq, data := range segments {
		node := &inode{data: data, synced: data}
		fs.names["/j/0/"+segmentName(seq)], fs.durable["/j/0/"+segmentName(seq)] = node, node
	}
	return fs
}

// TestRecovery is about what a segment's snapshot says of older segments.
func TestRecovery(t *testing.T) {
	begin := func(id string) []byte {
		r := row(id, 0)
		return appendRow(nil, kindOpen, &r)
	}
	end := func(id string) []byte {
		r := row(id, 20)
		return appendRow(nil, kindRow, &r)
	}
	used := func(id string, n int64) []byte {
		return appendProgress(nil, id, ledger.Progress{Usage: wire.Usage{Output: n}})
	}
	snapshot := func(count int, frames ...[]byte) []byte {
		b := appendMark(nil, kindSnapshot, 0)
		for _, f := range frames {
			b = append(b, f...)
		}
		return appendMark(b, kindEnd, count)
	}
	join := func(frames ...[]byte) (b []byte) {
		for _, f := range frames {
			b = append(b, f...)
		}
		return b
	}
	damaged := func(frame []byte) []byte {
		frame[len(frame)-1] ^= 1
		return frame
	}
	torn := snapshot(1, begin("a"), used("a", 5))
	for name, test := range map[string]struct {
		segments map[uint64][]byte
		want     map[string]int64 // tokens of the requests that have rows
	}{
		"cut off":               {map[uint64][]byte{1: join(begin("a"), used("a", 3), used("a", 5), begin("b"))}, map[string]int64{"a": 5, "b": 0}},
		"ended":                 {map[uint64][]byte{1: join(begin("a"), used("a", 3), end("a"))}, map[string]int64{"a": 20}},
		"taken back":            {map[uint64][]byte{1: join(begin("a"), appendForget(nil, "a"))}, map[string]int64{}},
		"carried by a snapshot": {map[uint64][]byte{9: snapshot(1, begin("a"), used("a", 5))}, map[string]int64{"a": 5}},
		// Segment 2 had the end of `a` and was removed; 1 came back after a
		// power cut.
		"a segment came back":      {map[uint64][]byte{1: begin("a"), 3: snapshot(1, begin("b"))}, map[string]int64{"b": 0}},
		"ended after the snapshot": {map[uint64][]byte{1: begin("a"), 2: join(snapshot(1, begin("a"), used("a", 5)), end("a"))}, map[string]int64{"a": 20}},
		"begun with the snapshot":  {map[uint64][]byte{1: begin("a"), 2: join(end("a"), begin("b"), snapshot(1, begin("b")))}, map[string]int64{"a": 20, "b": 0}},
		"a torn snapshot":          {map[uint64][]byte{1: join(begin("a"), used("a", 5), begin("b")), 2: torn[:len(torn)-30]}, map[string]int64{"a": 5, "b": 0}},
		"torn at a checkpoint":     {map[uint64][]byte{1: join(begin("a"), used("a", 5)), 2: join(appendMark(nil, kindSnapshot, 0), begin("a"))}, map[string]int64{"a": 5}},
		"a damaged snapshot":       {map[uint64][]byte{1: join(begin("a"), begin("b")), 2: snapshot(2, begin("a"))}, map[string]int64{"a": 0, "b": 0}},
		// A power cut before the fsync of a new segment can lose a page in its middle.
		"a row damaged before the snapshot": {map[uint64][]byte{1: join(begin("a"), used("a", 5)), 2: join(damaged(end("a")), begin("b"), snapshot(1, begin("b")))}, map[string]int64{"a": 5, "b": 0}},
		"an end without a begin":            {map[uint64][]byte{1: begin("a"), 2: appendMark(nil, kindEnd, 0)}, map[string]int64{"a": 0}},
	} {
		fs := left(test.segments)
		for again := range 2 { // the second time nothing is new
			store := newFakeStore()
			j := open(t, options(fs))
			j.SetStore(store)
			if err := j.Flush(within(t)); err != nil {
				t.Fatal(err)
			}
			if store.count() != len(test.want) && again == 0 {
				t.Errorf("%s: %d rows, not %v", name, store.count(), test.want)
			}
			for id, n := range test.want {
				if got, ok := store.get(id); again == 0 && (!ok || got.Output != n) {
					t.Errorf("%s: %s has %v %d tokens, not %d", name, id, ok, got.Output, n)
				}
			}
			if s := j.Stats(); again == 1 && s.Interrupted != 0 {
				t.Errorf("%s: charged again: %+v", name, s)
			}
			if err := j.Close(within(t)); err != nil {
				t.Fatal(err)
			}
			fs = fs.reboot(rand.New(rand.NewPCG(1, 1)), false)
		}
	}
}
