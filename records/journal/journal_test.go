package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/waittest"
	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/wire"
)

// open opens a journal that the test's end closes.
func open(t *testing.T, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(j) })
	return j
}

// closeNow closes a journal whose disk may be full.
func closeNow(j *Journal) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_ = j.Close(ctx)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestDelivery(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir(), SegmentSize: 16 << 10})
	store := newFakeStore()
	j.SetStore(store)
	const clients, each = 20, 50
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := range each {
				id := fmt.Sprintf("req_%d_%d", c, n)
				if err := j.Open(row(id, 0)); err != nil {
					t.Error(err)
				}
				j.Checkpoint(id, ledger.Progress{BytesOut: 1})
				if err := j.Append(row(id, int64(n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if store.count() != clients*each {
		t.Errorf("%d rows were delivered, not %d", store.count(), clients*each)
	}
	if got, _ := store.get("req_7_49"); !cmp.Equal(got, row("req_7_49", 49)) {
		t.Error(cmp.Diff(row("req_7_49", 49), got))
	}
	// A batch is never split: the last segment may be large, until the next.
	if err := errors.Join(j.Append(row("last", 1)), j.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	waittest.Eventually(t, "delivered segments go", func() bool { return j.Stats().Disk < 32<<10 })
	if s := j.Stats(); s.Pending != 0 || s.InFlight != 0 || s.Memory != 0 || s.Degraded {
		t.Errorf("%+v", s)
	}
}

// TestOutage holds that rows outlive a store that is away, and a process too.
func TestOutage(t *testing.T) {
	fs, store := newFakeFS(), newFakeStore()
	store.down = true
	j := open(t, options(fs))
	j.SetStore(store)
	for n := range 700 {
		if err := j.Append(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	waittest.Eventually(t, "some tries", func() bool { store.mu.Lock(); defer store.mu.Unlock(); return store.puts > 2 })
	if err := j.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	j = open(t, options(fs))
	if s := j.Stats(); s.Pending != 700 {
		t.Errorf("%d rows wait, not 700", s.Pending)
	}
	if err := j.Append(row("req_700", 1)); err != nil {
		t.Fatal(err)
	}
	store.set(func() { store.down = false })
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if store.count() != 701 || j.Stats().Pending != 0 {
		t.Errorf("%d rows, %+v", store.count(), j.Stats())
	}
}

// TestDiskFull is promise S-G2: rows wait in memory, whoever has a budget is
// told, nothing is damaged, and it ends by itself.
func TestDiskFull(t *testing.T) {
	fs := newFakeFS()
	fs.quota = 20 << 10
	o := options(fs)
	o.SegmentSize = 1 << 20
	j := open(t, o)
	n := 0
	for ; !j.Degraded(); n++ {
		if err := j.Append(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
			t.Fatal(err)
		}
		if n%10 == 0 {
			ctx, cancel := context.WithTimeout(within(t), 5*time.Millisecond)
			_ = j.Sync(ctx)
			cancel()
		}
	}
	if err := j.Append(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
		t.Fatalf("a full disk refused a row: %v", err)
	}
	n++
	fs.mu.Lock()
	fs.quota = 0
	fs.mu.Unlock()
	waittest.Eventually(t, "recovery", func() bool { return !j.Degraded() })
	if err := j.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	j = open(t, options(fs))
	store := newFakeStore()
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if store.count() != n || j.Stats().Corrupt != 0 {
		t.Errorf("%d rows of %d, %+v", store.count(), n, j.Stats())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	fs := newFakeFS()
	fs.quota = 1
	o := options(fs)
	o.MaxMemory = 4 << 10
	j := open(t, o)
	taken := 0
	for ; j.Append(row(fmt.Sprintf("req_%d", taken), 1)) == nil; taken++ {
		if taken > 1000 {
			t.Fatal("memory has no bound")
		}
	}
	if err := j.Append(row("more", 1)); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	j.Record(&gateway.Record{RequestID: "more", Time: begun})
	if s := j.Stats(); s.Dropped != 3 || s.Memory > 5<<10 {
		t.Errorf("%+v", s)
	}
	j.Checkpoint("req_0", ledger.Progress{})
}

// TestRescue holds that a full disk keeps nothing from a store that is well.
func TestRescue(t *testing.T) {
	fs, store := newFakeFS(), newFakeStore()
	fs.quota = 1
	j := open(t, options(fs))
	j.SetStore(store)
	if err := j.Open(row("open", 0)); err != nil {
		t.Fatal(err)
	}
	j.Checkpoint("open", ledger.Progress{Usage: wire.Usage{Output: 5}})
	for n := range 20 {
		if err := j.Append(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
			t.Fatal(err)
		}
	}
	waittest.Eventually(t, "delivery from memory", func() bool { return store.count() == 20 && j.Stats().Pending == 0 })
	if !j.Degraded() {
		t.Error("the disk is full and nobody is told")
	}
	fs.mu.Lock()
	fs.quota = 0
	fs.mu.Unlock()
	waittest.Eventually(t, "recovery", func() bool { return !j.Degraded() })

	// What was open is known to the disk again.
	fs = fs.reboot(rand.New(rand.NewPCG(1, 1)), false)
	j = open(t, options(fs))
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if got, ok := store.get("open"); !ok || got.Output != 5 || got.Error != ledger.Interrupted {
		t.Errorf("%v %+v", ok, got)
	}
}

// TestRescuedMemory holds that what the store has taken off a full disk's hands makes
// room for others at once, not when the disk is tried again.
func TestRescuedMemory(t *testing.T) {
	fs, store := newFakeFS(), newFakeStore()
	fs.quota = 1
	o := options(fs)
	o.MaxMemory, o.Retry = 1, time.Hour
	j := open(t, o)
	j.SetStore(store)
	if err := j.Append(row("first", 1)); err != nil {
		t.Fatal(err)
	}
	waittest.Eventually(t, "room", func() bool { return j.Stats().Memory == 0 })
	if err := j.Append(row("second", 1)); err != nil || store.count() != 1 {
		t.Errorf("%v, %d rows are in the store", err, store.count())
	}
}

// TestMaxSize holds that a store which is away for too long is as a full disk.
func TestMaxSize(t *testing.T) {
	fs := newFakeFS()
	o := options(fs)
	o.MaxSize = 10 << 10
	j := open(t, o)
	for n := 0; !j.Degraded(); n++ {
		if err := j.Append(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(within(t), 5*time.Millisecond)
		_ = j.Sync(ctx)
		cancel()
	}
	if s := j.Stats(); s.Disk > 10<<10 {
		t.Errorf("%d bytes on the disk", s.Disk)
	}
	j.SetStore(newFakeStore())
	waittest.Eventually(t, "recovery", func() bool { return !j.Degraded() && j.Stats().Pending == 0 })
}

// TestFsyncFails holds that a failed fsync is not believed the second time.
func TestFsyncFails(t *testing.T) {
	fs, store := newFakeFS(), newFakeStore()
	o := options(fs)
	o.Now = func() time.Time { return begun } // nothing is synced by the clock
	o.SegmentSize = 1 << 20
	j := open(t, o)
	if err := j.Append(row("before", 1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	// Written, and lost with the fsync that fails.
	if err := j.Open(row("open", 1)); err != nil {
		t.Fatal(err)
	}
	waittest.Eventually(t, "the write", func() bool { return j.Stats().Memory == 0 })
	failed := 0
	fs.mu.Lock()
	fs.fault = func(op, name string) error {
		if op == "sync" && strings.HasSuffix(name, segmentExt) && failed < 2 {
			failed++
			return errors.New("input/output error")
		}
		return nil
	}
	fs.mu.Unlock()
	if err := j.Append(row("during", 1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	fs = fs.reboot(rand.New(rand.NewPCG(1, 1)), true)
	j = open(t, options(fs))
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, ok := store.get("open"); store.count() != 3 || !ok {
		t.Errorf("%d rows; the open one: %v", store.count(), ok)
	}
}

// TestRefusedRow holds that one row cannot hold up the others.
func TestRefusedRow(t *testing.T) {
	fs, store := newFakeFS(), newFakeStore()
	store.refused = "req_17"
	j := open(t, options(fs))
	for n := range 40 {
		if err := j.Append(row(fmt.Sprintf("req_%d", n), 1)); err != nil {
			t.Fatal(err)
		}
	}
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); store.count() != 39 || s.Rejected != 1 || s.Pending != 0 {
		t.Errorf("%d rows, %+v", store.count(), s)
	}
	names, _ := fs.List("/j")
	kept := ""
	for _, name := range names {
		if strings.HasPrefix(name, "rejected-") {
			kept = fs.text(filepath.Join("/j", name))
		}
	}
	if !strings.Contains(kept, `"request_id":"req_17"`) {
		t.Errorf("the row was not kept: %q", kept)
	}
}

// TestProcessesShareADirectory holds that two processes do not meet, and that
// the second takes over what the first left.
func TestProcessesShareADirectory(t *testing.T) {
	dir, store := t.TempDir(), newFakeStore()
	first := open(t, Options{Dir: dir})
	second := open(t, Options{Dir: dir})
	if first.dir == second.dir {
		t.Fatal("both write to one folder")
	}
	for n, j := range []*Journal{first, second} {
		if err := errors.Join(j.Append(row(fmt.Sprintf("req_%d", n), 1)), j.Open(row(fmt.Sprintf("open_%d", n), 1))); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	third := open(t, Options{Dir: dir})
	third.SetStore(store)
	if err := third.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := third.Stats(); store.count() != 4 || s.Interrupted != 2 || s.Pending != 0 {
		t.Errorf("%d rows, %+v", store.count(), s)
	}
	if left, _ := filepath.Glob(filepath.Join(second.dir, "*"+segmentExt)); len(left) != 0 {
		t.Errorf("the other folder still has %v", left)
	}
}

func TestClosed(t *testing.T) {
	j := open(t, options(newFakeFS()))
	if err := errors.Join(j.Close(within(t)), j.Close(within(t))); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"append": j.Append(row("a", 1)), "open": j.Open(row("b", 1)), "sync": j.Sync(within(t)), "flush": j.Flush(within(t)),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	j.Checkpoint("a", ledger.Progress{})
	j.Forget("a")
}
