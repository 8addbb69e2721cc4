package journal

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/records/ledger"
)

// TestBeginsTogether holds that requests which begin at once share a write.
func TestBeginsTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	fs := newFakeFS()
	var writes atomic.Int64
	fs.gate = func(op string) {
		if op == "write" {
			writes.Add(1)
		}
	}
	o := options(fs)
	o.SegmentSize = 1 << 20
	j := open(t, o)
	if err := errors.Join(j.Append(row("first", 1)), j.Sync(within(t))); err != nil { // a segment is there
		t.Fatal(err)
	}
	before := writes.Load()
	const many = 50
	var all sync.WaitGroup
	for n := range many {
		all.Go(func() {
			if err := j.Open(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := writes.Load() - before; n > many/2 {
		t.Errorf("%d begins took %d writes", many, n)
	}
	if n := survivors(t, fs).count(); n != many+1 {
		t.Errorf("%d rows, not %d", n, many+1)
	}
}

// TestPace holds that rows which follow an fsync at once share the next one, and
// that who waits for them does not wait for others.
func TestPace(t *testing.T) {
	fs := newFakeFS()
	var syncs atomic.Int64
	fs.gate = func(op string) {
		if op == "sync" {
			syncs.Add(1)
		}
	}
	o := options(fs)
	o.SegmentSize, o.Pace = 1<<20, time.Hour
	o.Now = func() time.Time { return begun }
	j := open(t, o)
	if err := errors.Join(j.Append(row("first", 1)), j.Sync(within(t))); err != nil {
		t.Fatal(err)
	}
	before := syncs.Load()
	for n := range 100 {
		if err := j.Append(row(fmt.Sprint(n), 1)); err != nil {
			t.Fatal(err)
		}
		for range 200 { // time in which the writer could
			runtime.Gosched()
		}
	}
	if err := j.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if n := syncs.Load() - before; n > 3 { // waking the writer may come late and end its next wait
		t.Errorf("%d fsyncs", n)
	}
	if n := survivors(t, fs).count(); n != 101 {
		t.Errorf("%d rows, not 101", n)
	}
}

// TestMemoryOfOpenRequests holds that requests take over the memory of those that
// have ended, and nothing else of them.
func TestMemoryOfOpenRequests(t *testing.T) {
	j := &Journal{inflight: make(map[string]*running)}
	one, two := row("one", 300), row("two", 0)
	again := func() {
		j.enter(&one)
		j.inflight["one"].progress.BytesOut++
		if !j.leave("one") || j.leave("one") {
			t.Error("one is open, then not")
		}
	}
	again()
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Errorf("%v allocations", n)
	}
	j.enter(&two)
	if got := j.inflight["two"]; len(j.inflight) != 1 || got.row != two || got.progress != two.Progress() {
		t.Errorf("%+v", got)
	}
	j.leave("two")
	for n := range 2 * maxIdle {
		one.RequestID = fmt.Sprint(n)
		j.enter(&one)
	}
	for n := range 2 * maxIdle {
		j.leave(fmt.Sprint(n))
	}
	if len(j.inflight) != 0 || len(j.idle) != maxIdle {
		t.Errorf("%d open, %d kept", len(j.inflight), len(j.idle))
	}
}

// TestRecordIsCleaned holds that a name which a client chose is not too long to be
// read again, neither at the begin nor at the end.
func TestRecordIsCleaned(t *testing.T) {
	fs := newFakeFS()
	j := open(t, options(fs))
	store := newFakeStore()
	j.SetStore(store)
	evil := func(id string) *gateway.Record {
		return &gateway.Record{RequestID: id, Time: begun, Model: strings.Repeat("\x00", 2*maxPayload), Attempts: 1}
	}
	if err := j.Open(ledger.FromRecord(evil("begun"))); err != nil {
		t.Fatal(err)
	}
	j.Record(evil("ended"))
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	ended, _ := store.get("ended")
	interrupted, _ := survivors(t, fs).get("begun")
	if len(ended.Model) < 100 || interrupted.Model != ended.Model {
		t.Errorf("%q, %q", ended.Model, interrupted.Model)
	}
}
