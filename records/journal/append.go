package journal

import (
	"context"
	"fmt"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/records/ledger"
)

// Checkpoint notes what an open request has used so far. It is called about
// once a second for each stream: what was used since the last call is lost
// when the process is killed.
func (j *Journal) Checkpoint(id string, p ledger.Progress) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.inflight[id]
	if r == nil || r.progress == p {
		return
	}
	r.progress = p
	if j.room() == nil {
		j.buf = appendProgress(j.buf, id, p)
		j.wake(j.kick)
	}
}

// Forget takes back Open: the request was refused after all and makes no row.
func (j *Journal) Forget(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.leave(id) {
		return
	}
	if j.room() == nil {
		j.buf = appendForget(j.buf, id)
		j.wake(j.kick)
	}
}

// Append adds the final row of a request, whether or not it was opened. It
// never waits for the disk. With ErrFull the row is lost, and was counted.
func (j *Journal) Append(row ledger.Row) error {
	row.Clean()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.leave(row.RequestID)
	if err := j.room(); err != nil {
		j.stats.Dropped++
		if !j.dropping {
			j.dropping = true
			j.options.Logger.Error("usage is lost: neither the disk nor the records take it", slogDir(j.dir), slogRequest(row.RequestID), slogErr(err))
		}
		return err
	}
	j.dropping = false
	j.buf = appendRow(j.buf, kindRow, &row)
	j.stats.Pending++
	j.urgent = true
	j.wake(j.kick)
	if len(j.buf) >= gatherSize {
		j.wake(j.full)
	}
	return nil
}

// Record implements gateway.UsageSink. A row for which there is no room is
// counted, and said once.
func (j *Journal) Record(r *gateway.Record) { _ = j.Append(ledger.FromRecord(r)) }

// room reports whether one more frame fits into memory.
func (j *Journal) room() error {
	switch {
	case j.closed:
		return ErrClosed
	case j.memory() >= j.options.MaxMemory:
		return ErrFull
	}
	return nil
}

// memory is how many bytes are not on the disk; the lock is held.
func (j *Journal) memory() int { return len(j.begins) + len(j.buf) + j.held }

// Sync waits until everything that was appended before is durable.
func (j *Journal) Sync(ctx context.Context) error {
	done := make(chan struct{})
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.waiters = append(j.waiters, done)
	j.urgent = true
	j.mu.Unlock()
	j.wake(j.kick)
	j.wake(j.full)
	select {
	case <-done:
		return nil
	case <-j.written:
		select {
		case <-done:
			return nil
		default:
			return ErrClosed
		}
	case <-ctx.Done():
		return fmt.Errorf("syncing the journal: %w", ctx.Err())
	}
}
