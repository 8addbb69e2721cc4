package journal

import (
	"runtime"
	"sync"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

// Open notes that a request was admitted. Should the process die before its
// Append, row becomes its row, with what it or Checkpoint last said was used.
// When Open returns nil the begin has been handed to the kernel, so that it
// outlives the process; on a disk that is full or does not answer it is kept
// in memory.
func (j *Journal) Open(row ledger.Row) error {
	row.Clean()
	j.mu.Lock()
	if err := j.room(); err != nil {
		j.mu.Unlock()
		return err
	}
	j.enter(&row)
	if j.degraded.Load() {
		j.buf = appendRow(j.buf, kindOpen, &row)
		j.mu.Unlock()
		j.wake(j.kick)
		return nil
	}
	j.begins = appendRow(j.begins, kindOpen, &row)
	if j.noted == nil {
		j.noted = make(chan struct{})
	}
	noted := j.noted
	j.mu.Unlock()
	j.wake(j.begin)
	j.await(noted)
	return nil
}

// timers are stopped ones, whose channels are empty: each begin needs one for
// some microseconds.
var timers sync.Pool

// await waits for a begin to be written.
func (j *Journal) await(noted <-chan struct{}) {
	if j.late.Load() {
		return
	}
	timer, _ := timers.Get().(*time.Timer)
	if timer == nil {
		timer = time.NewTimer(j.options.Patience)
	} else {
		timer.Reset(j.options.Patience)
	}
	defer func() {
		timer.Stop()
		timers.Put(timer)
	}()
	select {
	case <-noted:
	case <-j.written:
	case <-timer.C:
		if !j.late.Swap(true) {
			j.options.Logger.Warn("the journal's disk is slow: requests begin before they are noted", slogDir(j.dir))
		}
	}
}

// takeBegins takes the begins that nobody has taken; the lock is held.
func (j *Journal) takeBegins(spare []byte) (begins []byte, noted chan struct{}) {
	begins, noted = j.begins, j.noted
	j.begins, j.noted = spare, nil
	return begins, noted
}

// writeBegins writes begins as they come, beside the writer, whose fsyncs they
// must not wait for. What came while it wrote is written at once.
func (j *Journal) writeBegins(w *writer) {
	defer close(j.begun)
	var spare []byte
	for {
		select {
		case <-j.begin:
		case <-j.quit:
			return // what is left is the writer's
		}
		if j.shares() {
			runtime.Gosched()
		}
		j.mu.Lock()
		begins, noted := j.takeBegins(spare[:0])
		j.mu.Unlock()
		spare = nil
		switch {
		case noted == nil: // the writer has taken them
		case w.add(begins, j.options.SegmentSize):
			close(noted)
			j.late.Store(false)
		default:
			// There is no segment to write to: the writer makes one, or tells
			// that it cannot.
			j.mu.Lock()
			j.buf = append(j.buf, begins...)
			if j.degraded.Load() {
				close(noted)
			} else {
				j.noting = append(j.noting, noted)
			}
			j.mu.Unlock()
			j.wake(j.kick)
			j.wake(j.full)
		}
		if cap(begins) <= gatherSize {
			spare = begins
		}
	}
}

// shares reports whether other requests may be about to begin: those that can run
// do so first then, and share one write.
func (j *Journal) shares() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.inflight) > 1
}

// add writes begins to the segment if it is open for them.
func (w *writer) add(begins []byte, limit int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.adds || w.size >= limit {
		return false
	}
	if _, err := w.file.Write(begins); err != nil {
		w.adds, w.torn = false, true
		return false
	}
	w.size += int64(len(begins))
	w.dirty = true
	return true
}
