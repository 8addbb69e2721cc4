package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
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

// backoff is the nth wait, with full jitter on its second half.
func backoff(first time.Duration, n int) time.Duration {
	d := first << min(max(n-1, 0), 7)
	return d/2 + rand.N(d/2+1)
}

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

// read returns the rows after next, up to a batch of them, and moves next
// behind them. They are valid until the next call.
func (d *delivery) read() ([]ledger.Row, error) {
	next := d.next
	d.rows = d.rows[:0]
	for {
		s, last, ok := d.segment(next.seq)
		if !ok {
			break
		}
		if s.seq != next.seq {
			next = position{seq: s.seq}
		}
		full, err := d.readSegment(s, &next)
		if err != nil {
			return nil, err
		}
		if full || last {
			break
		}
		next = position{seq: s.seq + 1}
	}
	d.next = next
	return d.rows, nil
}

// segment is the oldest one that is not before seq; last says that the writer
// may still add to it.
func (d *delivery) segment(seq uint64) (s segment, last, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, s := range d.segments {
		if s.seq >= seq {
			return s, i == len(d.segments)-1, true
		}
	}
	return segment{}, false, false
}

func (d *delivery) readSegment(s segment, next *position) (full bool, err error) {
	if next.off >= s.size {
		return false, nil
	}
	if d.file == nil || d.seq != s.seq {
		d.closeFile()
		if d.file, err = d.options.FS.Open(filepath.Join(d.dir, segmentName(s.seq))); err != nil {
			return false, fmt.Errorf("opening a segment: %w", err)
		}
		d.seq = s.seq
	}
	begin := next.off
	r := reader{file: d.file, off: begin, limit: s.size, room: d.room}
	defer func() { d.room = r.room }()
	for {
		f, err := r.next()
		if errors.Is(err, io.EOF) {
			next.off = s.size
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("reading a segment: %w", err)
		}
		next.off = r.offset()
		if f.kind == kindRow {
			if row, err := ledger.DecodeRow(f.payload); err == nil {
				d.rows = append(d.rows, row)
			}
		}
		if len(d.rows) >= putRows || next.off-begin >= putBytes {
			return true, nil
		}
	}
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
	j.mu.Unlock()
	return true
}
