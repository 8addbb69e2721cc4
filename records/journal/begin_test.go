package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/waittest"
	"github.com/weirproxy/weir/records/ledger"
)

// survivors are the rows that a next process makes of what fs holds when this
// one is killed now.
func survivors(t *testing.T, fs *fakeFS) *fakeStore {
	t.Helper()
	store := newFakeStore()
	j := open(t, options(fs.reboot(rand.New(rand.NewPCG(1, 1)), false)))
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	return store
}

// TestBegin kills the process as soon as Open has returned, for each of many
// requests at once and across rotations: each has a row, with what its begin
// says was used.
func TestBegin(t *testing.T) {
	fs := newFakeFS()
	o := options(fs)
	o.Window = time.Hour // nothing but begins is written by itself
	j := open(t, o)
	for n := range 30 {
		id := fmt.Sprintf("req_%d", n)
		if err := j.Open(row(id, 7)); err != nil {
			t.Fatal(err)
		}
		store := survivors(t, fs)
		if got, ok := store.get(id); !ok || got.Error != ledger.Interrupted || got.Input != 1200 || got.Output != 7 || got.CostNano != 4_200_000 || store.count() != n+1 {
			t.Fatalf("%s: %v, %d rows, %+v", id, ok, store.count(), got)
		}
	}
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			if err := j.Open(row(fmt.Sprintf("more_%d", n), 0)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := survivors(t, fs).count(); n != 80 {
		t.Errorf("%d rows, not 80", n)
	}
}

// TestBeginDuringSync holds that a request does not wait for an fsync.
func TestBeginDuringSync(t *testing.T) {
	fs := newFakeFS()
	var held atomic.Bool
	syncing, release := make(chan struct{}, 100), make(chan struct{})
	fs.gate = func(op string) {
		if op == "sync" && held.Load() {
			syncing <- struct{}{}
			<-release
		}
	}
	o := options(fs)
	o.SegmentSize, o.Patience = 1<<20, time.Hour
	j := open(t, o)
	if err := errors.Join(j.Append(row("first", 1)), j.Sync(within(t))); err != nil { // a segment is there
		t.Fatal(err)
	}
	held.Store(true)
	if err := j.Append(row("second", 1)); err != nil {
		t.Fatal(err)
	}
	<-syncing
	if err := j.Open(row("third", 1)); err != nil {
		t.Fatal(err)
	}
	if _, ok := survivors(t, fs).get("third"); !ok {
		t.Error("a begin was not written")
	}
	held.Store(false)
	close(release)
	// Its bytes are durable once something after them is.
	if err := j.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	store := newFakeStore()
	j = open(t, options(fs.reboot(rand.New(rand.NewPCG(1, 1)), true)))
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil || store.count() != 3 {
		t.Errorf("%d rows, %v", store.count(), err)
	}
}

// TestSlowDisk holds that a disk that hangs holds up those only that were
// there first, and that it is waited for again when it has come back.
func TestSlowDisk(t *testing.T) {
	fs := newFakeFS()
	var held atomic.Bool
	release := make(chan struct{})
	fs.gate = func(op string) {
		if op == "write" && held.Load() {
			<-release
		}
	}
	o := options(fs)
	o.SegmentSize, o.Patience = 1<<20, time.Millisecond
	j := open(t, o)
	if err := errors.Join(j.Append(row("first", 1)), j.Sync(within(t))); err != nil {
		t.Fatal(err)
	}
	held.Store(true)
	if err := j.Open(row("second", 1)); err != nil {
		t.Fatal(err)
	}
	if !j.late.Load() {
		t.Error("nobody has noticed that the disk hangs")
	}
	if err := j.Open(row("third", 1)); err != nil {
		t.Fatal(err)
	}
	held.Store(false)
	close(release)
	waittest.Eventually(t, "begins are waited for", func() bool { return !j.late.Load() })
	if n := survivors(t, fs).count(); n < 2 {
		t.Errorf("%d rows", n)
	}
}
