package journal

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

const (
	// Rows and bytes of one delivery.
	putRows  = 2000
	putBytes = 1 << 20

	// putTimeout bounds one delivery.
	putTimeout = 30 * time.Second

	// rescueTimeout bounds a delivery out of memory while the disk is full.
	rescueTimeout = 5 * time.Second

	retainEvery = time.Hour
	retainFirst = time.Minute // after the begin

	// positionEvery is how often the position is written down. What is
	// delivered once more after a crash changes nothing.
	positionEvery = time.Second
)

func slogDir(dir string) slog.Attr    { return slog.String("dir", dir) }
func slogErr(err error) slog.Attr     { return slog.String("error", err.Error()) }
func slogCount(n int) slog.Attr       { return slog.Int("count", n) }
func slogRequest(id string) slog.Attr { return slog.String("request_id", id) }

// SetStore says where rows are delivered from now on; with nil they wait. The
// store before it may be asked for a last time while it is replaced.
func (j *Journal) SetStore(store ledger.Store) {
	j.mu.Lock()
	j.store = store
	close(j.stored)
	j.stored = make(chan struct{})
	j.mu.Unlock()
	j.wake(j.fresh)
}

func (j *Journal) target() (ledger.Store, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store, j.stored
}

// Flush waits until everything that was appended before is in the store.
func (j *Journal) Flush(ctx context.Context) error {
	if err := j.Sync(ctx); err != nil {
		return err
	}
	j.wake(j.hurry)
	j.mu.Lock()
	var end position
	if n := len(j.segments); n > 0 {
		end = position{j.segments[n-1].seq, j.segments[n-1].size}
	}
	j.mu.Unlock()
	for {
		j.mu.Lock()
		there, moved := !j.position.before(end), j.moved
		j.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-moved:
		case <-j.delivered:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("delivering the journal: %w", ctx.Err())
		}
	}
}

// deliver hands rows to the store until the journal is closed.
func (j *Journal) deliver() {
	defer close(j.delivered)
	d := &delivery{Journal: j, next: j.position, saved: j.position, savedAt: j.options.Now()}
	defer d.closeFile()
	tick := time.NewTicker(positionEvery)
	defer tick.Stop()
	for j.stopping.Err() == nil {
		d.housekeep()
		d.linger()
		rows, err := d.read()
		switch {
		case err != nil:
			j.options.Logger.Error("reading the journal", slogDir(j.dir), slogErr(err))
			d.closeFile()
			d.failures++
			d.pause(nil)
		case len(rows) > 0:
			if d.putAll(rows) {
				j.advance(d.next, len(rows))
				d.putAt = j.options.Now()
			}
		case j.current().before(d.next):
			j.advance(d.next, 0) // only frames that are no rows
		default:
			select {
			case <-j.fresh:
			case <-j.stopping.Done():
			case <-tick.C:
			}
		}
	}
	d.savePosition()
}

// linger waits for more rows if a few were delivered just now.
func (d *delivery) linger() {
	wait := d.options.Linger - d.options.Now().Sub(d.putAt)
	if wait <= 0 || wait > d.options.Linger || d.few() == 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for n := d.few(); n > 0; n = d.few() {
		select {
		case <-d.fresh:
			continue
		case <-d.hurry:
		case <-timer.C:
		case <-d.stopping.Done():
		}
		return
	}
}

// few is how many rows wait, 0 when there are enough for a delivery.
func (d *delivery) few() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.stats.Pending; n < putRows {
		return n
	}
	return 0
}

// housekeep does what is due by the clock.
func (d *delivery) housekeep() {
	now := d.options.Now()
	if now.Sub(d.savedAt) >= positionEvery {
		d.savePosition()
		d.savedAt = now
	}
	if d.retainedAt.IsZero() {
		d.retainedAt = now.Add(retainFirst - retainEvery)
	}
	if now.Sub(d.retainedAt) >= retainEvery {
		d.retain()
		d.retainedAt = now
	}
}

// retain lets the store remove what is old.
func (j *Journal) retain() {
	store, _ := j.target()
	if store == nil {
		return
	}
	if err := store.Retain(j.stopping, j.options.Now()); err != nil && j.stopping.Err() == nil {
		j.options.Logger.Warn("removing old usage", slogErr(err))
	}
}

// delivery is the state of the goroutine that delivers.
type delivery struct {
	*Journal
	file     File
	seq      uint64 // of file
	next     position
	failures int

	// The memory of what is read, and of what was read last.
	rows []ledger.Row
	room []byte

	savedAt, retainedAt, putAt time.Time
	saved                      position
}

func (d *delivery) closeFile() {
	if d.file != nil {
		_ = d.file.Close()
		d.file = nil
	}
}
