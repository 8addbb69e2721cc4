package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

const (
	// gatherSize ends the gathering of a batch early.
	gatherSize = 64 << 10

	// syncDelay is how long begins and checkpoints, which nobody waits for, may
	// be written and not synced. Being written is enough to survive the
	// process; this is about the machine.
	syncDelay = time.Second
)

// writer is the state of the goroutine that writes, but for what mu guards,
// which the one that adds begins has a part in. Only the first changes file.
type writer struct {
	seq      uint64 // of file, or of the last one
	syncedAt time.Time
	failures int
	spare    []byte

	mu    sync.Mutex
	file  File
	size  int64 // bytes written to file, all of them whole frames
	dirty bool
	torn  bool // behind size there is a part of a frame

	// adds says that begins may be added to file. They may not be while the
	// snapshot at the head of the next segment is taken but not durable: that
	// one would have the last word on which requests are open.
	adds bool
}

func (j *Journal) newWriter() *writer {
	w := &writer{}
	if n := len(j.segments); n > 0 {
		w.seq = j.segments[n-1].seq
	}
	if w.seq < j.position.seq {
		w.seq = j.position.seq
	}
	return w
}

// write writes batches until the journal is closed and nothing is left.
func (j *Journal) write(w *writer) {
	defer close(j.written)
	idle := time.NewTimer(syncDelay)
	defer idle.Stop()
	for quit := false; !quit; {
		select {
		case <-j.kick:
			j.gather(w)
		case <-idle.C: // begins are synced by the clock
		case <-j.quit:
			quit = true
			<-j.begun
		}
		j.flush(w)
		idle.Reset(syncDelay)
	}
	j.flush(w)
	w.close()
}

// close lets go of the segment as it is.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		_ = w.file.Close()
		w.file, w.dirty, w.adds, w.torn = nil, false, false, false
	}
}

// gather waits for more to write at once.
func (j *Journal) gather(w *writer) {
	wait := j.options.Window
	if since := j.options.Now().Sub(w.syncedAt); since >= 0 {
		wait = max(wait, j.options.Pace-since)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.full:
	case <-j.quit:
	}
}

// flush writes everything that has been appended. While the disk takes
// nothing it tries again, and hands final rows to the store from memory.
func (j *Journal) flush(w *writer) {
	var batch []byte
	var waiters, noting []chan struct{}
	for {
		fresh := j.rotates(w)
		j.mu.Lock()
		first := len(batch)
		if begins, noted := j.takeBegins(nil); noted != nil {
			j.buf = append(begins, j.buf...)
			j.noting = append(j.noting, noted)
		}
		taken, urgent := j.buf, j.urgent || first > 0
		j.buf, j.urgent, w.spare = w.spare[:0], false, nil
		waiters, noting = append(waiters, j.waiters...), append(noting, j.noting...)
		j.waiters, j.noting = nil, nil
		if first == 0 {
			batch = taken
		} else {
			batch = append(batch, taken...)
			w.spare = taken[:0]
		}
		j.held = len(batch)
		var tail []byte
		if fresh {
			// After what was taken in the same moment this is all that older
			// segments know of open requests, so that they can go.
			tail = j.snapshot()
		}
		j.mu.Unlock()

		if w.failures > 0 {
			if len(batch) == 0 && len(waiters) == 0 && j.ending() {
				return
			}
			// Something to write even if the store has taken everything: only
			// a write shows that the disk is well again.
			tail = appendProbe(tail)
		} else if len(batch) == 0 && len(waiters) == 0 && !w.unsynced() {
			w.spare = batch
			return
		}
		err := j.commit(w, fresh, batch, tail, urgent || len(waiters) > 0)
		if err == nil {
			j.done(w, batch, append(waiters, noting...))
			return
		}
		for _, c := range noting { // on a full disk nobody waits
			close(c)
		}
		noting = nil
		if !j.retry(w, err, &batch) {
			return
		}
	}
}

// rotates decides whether the next write begins a segment. No begin is added
// to the one before it from then on.
func (j *Journal) rotates(w *writer) bool {
	w.mu.Lock()
	torn := w.torn
	w.mu.Unlock()
	if torn {
		j.abandon(w, true)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil && w.size < j.options.SegmentSize {
		return false
	}
	w.adds = false
	return true
}

// unsynced reports whether something was written and not synced.
func (w *writer) unsynced() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dirty
}

// snapshot encodes the open requests; the lock is held.
func (j *Journal) snapshot() []byte {
	b := appendMark(nil, kindSnapshot, 0)
	for id, r := range j.inflight {
		b = appendRow(b, kindOpen, &r.row)
		if r.progress != (ledger.Progress{}) {
			b = appendProgress(b, id, r.progress)
		}
	}
	return appendMark(b, kindEnd, len(j.inflight))
}

// commit writes batch and tail, to the next segment if that is due.
func (j *Journal) commit(w *writer, fresh bool, batch, tail []byte, urgent bool) (err error) {
	if w.file != nil && fresh {
		if err := j.syncFile(w); err != nil {
			return err
		}
		w.close()
	}
	if len(batch)+len(tail) == 0 {
		if w.file != nil {
			return j.syncFile(w)
		}
		return nil
	}
	if size := j.size(); size+int64(len(batch)+len(tail)) > j.options.MaxSize {
		return fmt.Errorf("the journal has %d bytes that are not delivered", size)
	}
	if w.file == nil {
		if err := j.create(w); err != nil {
			return err
		}
		urgent = true
	}
	if err := w.write(batch, tail); err != nil {
		j.abandon(w, true)
		return fmt.Errorf("writing to a segment: %w", err)
	}
	if urgent || j.options.Now().Sub(w.syncedAt) >= syncDelay {
		return j.syncFile(w)
	}
	return nil
}

// write writes to the segment.
func (w *writer) write(parts ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	written := 0
	for _, b := range parts {
		if len(b) == 0 {
			continue
		}
		if _, err := w.file.Write(b); err != nil {
			return err
		}
		written += len(b)
	}
	w.size += int64(written)
	w.dirty = true
	return nil
}

func (j *Journal) size() (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		n += s.size
	}
	return n
}

// create begins a segment.
func (j *Journal) create(w *writer) error {
	file, err := j.options.FS.Create(filepath.Join(j.dir, segmentName(w.seq+1)))
	if errors.Is(err, os.ErrExist) {
		w.seq++ // left by an attempt that failed
	}
	if err != nil {
		return fmt.Errorf("creating a segment: %w", err)
	}
	w.seq++
	w.mu.Lock()
	w.file, w.size = file, 0
	w.mu.Unlock()
	if err := j.options.FS.SyncDir(j.dir); err != nil {
		j.abandon(w, true)
		return fmt.Errorf("creating a segment: %w", err)
	}
	return nil
}

// ending reports whether the journal was closed.
func (j *Journal) ending() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

// syncFile makes durable what was written, and tells the delivery. Begins may
// be added meanwhile.
func (j *Journal) syncFile(w *writer) error {
	w.mu.Lock()
	size, dirty := w.size, w.dirty
	w.dirty = false
	w.mu.Unlock()
	if dirty {
		if err := w.file.Sync(); err != nil {
			// The kernel may have dropped the pages and called them clean, so
			// another fsync would prove nothing: the batch goes to a new file.
			j.abandon(w, false)
			return fmt.Errorf("syncing a segment: %w", err)
		}
	}
	w.syncedAt = j.options.Now()
	j.mu.Lock()
	// The delivery sees a segment, and lets go of those before it, once the
	// snapshot at its head is durable.
	if n := len(j.segments); n > 0 && j.segments[n-1].seq == w.seq {
		j.segments[n-1].size = size
	} else {
		j.segments = append(j.segments, segment{seq: w.seq, size: size})
	}
	j.mu.Unlock()
	j.wake(j.fresh)
	return nil
}

// abandon ends a segment that failed. Its whole frames stay: begins of
// requests may be among them that the next segment does not have yet. One
// that was never durable goes, since memory still has everything in it.
func (j *Journal) abandon(w *writer, cut bool) {
	w.mu.Lock()
	if cut {
		_ = w.file.Truncate(w.size)
	}
	w.mu.Unlock()
	w.close()
	j.mu.Lock()
	n := len(j.segments)
	known := n > 0 && j.segments[n-1].seq == w.seq
	j.mu.Unlock()
	if !known {
		_ = j.options.FS.Remove(filepath.Join(j.dir, segmentName(w.seq)))
	}
}

func (j *Journal) done(w *writer, batch []byte, waiters []chan struct{}) {
	w.mu.Lock()
	w.adds = w.file != nil && !w.torn
	w.mu.Unlock()
	j.mu.Lock()
	j.held = 0
	j.mu.Unlock()
	if cap(batch) <= 4*gatherSize {
		w.spare = batch[:0]
	}
	for _, c := range waiters {
		close(c)
	}
	if w.failures > 0 {
		w.failures = 0
		j.options.Logger.Info("the journal is durable again", slogDir(j.dir))
	}
	j.degraded.Store(false)
	j.late.Store(false)
}

// retry waits before the next attempt. It reports false when the journal was
// closed and there will be none.
func (j *Journal) retry(w *writer, err error, batch *[]byte) bool {
	if w.failures == 0 {
		j.options.Logger.Error("the journal is not durable: keys with a budget are refused", slogDir(j.dir), slogErr(err))
	}
	j.degraded.Store(true)
	w.failures++
	if j.rescue(*batch) {
		// Begins and checkpoints went with the batch: the next write must be a
		// new segment, whose snapshot has them.
		*batch = nil
		w.close()
	}
	if j.stopping.Err() != nil {
		return false
	}
	timer := time.NewTimer(backoff(j.options.Retry, w.failures))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.stopping.Done():
	}
	return true
}
