package journal

import (
	"sync"
	"time"
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

// ending reports whether the journal was closed.
func (j *Journal) ending() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
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
