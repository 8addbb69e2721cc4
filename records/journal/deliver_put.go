package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

// backoff is the nth wait, with full jitter on its second half.
func backoff(first time.Duration, n int) time.Duration {
	d := first << min(max(n-1, 0), 7)
	return d/2 + rand.N(d/2+1)
}

// putAll delivers rows for as long as it takes; false when the journal was
// closed before.
func (d *delivery) putAll(rows []ledger.Row) bool {
	for d.stopping.Err() == nil {
		store, changed := d.target()
		if store == nil {
			select {
			case <-changed:
			case <-d.stopping.Done():
			}
			continue
		}
		ctx, cancel := context.WithTimeout(d.stopping, putTimeout)
		err := d.put(ctx, store, rows)
		cancel()
		if err == nil {
			if d.failures > 0 {
				d.options.Logger.Info("the records take usage again")
				d.failures = 0
			}
			return true
		}
		if d.failures == 0 && d.stopping.Err() == nil {
			d.options.Logger.Warn("the records do not take usage: it waits in the journal", slogErr(err))
		}
		d.failures++
		d.pause(changed)
	}
	return false
}

// put delivers rows once. One that the store refuses must not keep back the
// others: it is looked for by halves.
func (j *Journal) put(ctx context.Context, store ledger.Store, rows []ledger.Row) error {
	err := store.Put(ctx, rows)
	if !errors.Is(err, ledger.ErrRejected) {
		return err
	}
	if len(rows) == 1 {
		return j.reject(&rows[0], err)
	}
	if err := j.put(ctx, store, rows[:len(rows)/2]); err != nil {
		return err
	}
	return j.put(ctx, store, rows[len(rows)/2:])
}

// reject keeps a refused row where an administrator finds it.
func (j *Journal) reject(row *ledger.Row, cause error) error {
	line, err := json.Marshal(row)
	if err == nil {
		name := filepath.Join(j.options.Dir, fmt.Sprintf("rejected-%d-%d.json", j.options.Now().UnixNano(), j.Stats().Rejected))
		err = replaceFile(j.options.FS, name, append(line, '\n'))
	}
	if err != nil {
		return err
	}
	j.options.Logger.Error("the records refuse a row: it is kept beside the journal", slogRequest(row.RequestID), slogErr(cause))
	j.mu.Lock()
	j.stats.Rejected++
	j.mu.Unlock()
	return nil
}

// pause waits after a failure.
func (d *delivery) pause(changed <-chan struct{}) {
	timer := time.NewTimer(backoff(d.options.Retry, d.failures))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-d.stopping.Done():
	}
}

// rescue delivers the final rows of a batch that the disk does not take. It
// reports whether the store has all of them.
func (j *Journal) rescue(batch []byte) bool {
	store, _ := j.target()
	if store == nil || len(batch) == 0 {
		return false
	}
	var rows []ledger.Row
	for rest := batch; ; {
		f, skip, n := scan(rest, true)
		if n == 0 {
			break
		}
		rest = rest[skip+n:]
		if f.kind == kindRow {
			if row, err := ledger.DecodeRow(f.payload); err == nil {
				rows = append(rows, row)
			}
		}
	}
	ctx, cancel := context.WithTimeout(j.stopping, rescueTimeout)
	defer cancel()
	for i := 0; i < len(rows); i += putRows {
		if err := store.Put(ctx, rows[i:min(i+putRows, len(rows))]); err != nil {
			return false
		}
	}
	j.mu.Lock()
	j.stats.Pending -= int64(len(rows))
	j.held = 0
	j.mu.Unlock()
	return true
}
