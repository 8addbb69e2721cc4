package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weirproxy/weir/records/ledger"
)

// segment is one file. Its first size bytes are durable frames.
type segment struct {
	seq  uint64
	size int64
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
