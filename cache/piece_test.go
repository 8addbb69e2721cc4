package cache

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
)

// TestPiece holds that memory and the fleet give back what was put, and that neither
// holds what its writer has.
func TestPiece(t *testing.T) {
	clock := newClock()
	full := &Answer{
		Made: clock.Now().Add(-time.Second), Took: 5, Provider: "provider", Model: "model",
		Usage: wire.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 5}, Cost: -1, Finish: "stop",
		Tags: []string{"one", strings.Repeat("t", 200)}, Canonical: []byte("canonical"),
		Form: Form{Operation: wire.GeminiBatchEmbed, Stream: true, Usage: true, Body: []byte("body")},
	}
	empty := &Answer{Made: clock.Now(), Canonical: []byte{}, Form: Form{Operation: wire.Chat, Body: []byte{}}}
	for name, a := range map[string]*Answer{"full": full, "empty": empty, "usual": answer(clock, "x", "t")} {
		remote := newShelf()
		c, other := open(t, 1<<20, remote, clock), open(t, 1<<20, remote, clock)
		key := keyOf("a", "r")
		want, body := *a, a.Form.Body
		want.Form.Body = append([]byte{}, body...)
		if !c.Put(key, "a", a, c.Stamp(), hour) {
			t.Fatalf("%s: not kept", name)
		}
		clear(body)
		clock.Add(time.Second)
		for where, find := range map[string]func() (Hit, bool){
			"memory":    func() (Hit, bool) { return c.Get(key, "a") },
			"the fleet": func() (Hit, bool) { return other.Fetch(context.Background(), key, "a") },
			"elsewhere": func() (Hit, bool) { return other.Get(key, "a") },
		} {
			hit, ok := find()
			if where == "elsewhere" && !ok {
				continue // before it was fetched
			}
			got := hit.Answer
			got.Tags = hit.kept.tags()
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(&wire.Operation{})); !ok || diff != "" {
				t.Errorf("%s, %s: %s", name, where, diff)
			}
			if (got.Canonical == nil) != (a.Canonical == nil) {
				t.Errorf("%s, %s: whether it was translated is lost", name, where)
			}
			if age := clock.Now().Sub(a.Made); hit.Age != age || hit.kept.int(atUntil)-hit.kept.int(atMade) != int64(time.Hour) {
				t.Errorf("%s, %s: is %v old, not %v", name, where, hit.Age, age)
			}
		}
	}
}

// TestPutOperation holds that an answer without a number for its operation is not
// kept.
func TestPutOperation(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, nil, clock)
	a := answer(clock, "x")
	a.Form.Operation = wire.Converse
	if c.Put(keyOf("a", "r"), "a", a, c.Stamp(), hour) || c.Memory.Stats().Entries != 0 {
		t.Error("it is kept")
	}
}

// TestCollector holds that the collector looks into nothing that is kept: what it
// scans grows by the maps alone.
func TestCollector(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<30, nil, clock)
	objects := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapObjects
	}
	const n = 20_000
	before := objects()
	for i := range n {
		c.Put(keyOf("a", fmt.Sprint(i)), "a", answer(clock, strings.Repeat("x", 100), "model:m", "target:p/m", "key:k"), c.Stamp(), hour)
	}
	if kept := c.Memory.Stats().Entries; kept != n {
		t.Fatalf("%d are kept", kept)
	}
	if each := float64(objects()-before) / n; each > 1.5 {
		t.Errorf("%.2f objects for each answer", each)
	}
}
