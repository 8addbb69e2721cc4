package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/records/ledger"
)

const (
	lockName     = "lock"
	positionName = "delivered"
	segmentExt   = ".jnl"

	// maxProcesses is how many processes can share a directory.
	maxProcesses = 64

	// adoptBytes are copied at once.
	adoptBytes = 1 << 20
)

func segmentName(seq uint64) string { return fmt.Sprintf("%016x%s", seq, segmentExt) }

func segmentSeq(name string) (seq uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentExt)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 16, 64)
	return seq, err == nil
}

// position is how far the delivery is: everything before it is in the store.
type position struct {
	seq uint64
	off int64
}

func (p position) before(q position) bool { return p.seq < q.seq || (p.seq == q.seq && p.off < q.off) }

func (j *Journal) current() position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.position
}

// advance moves the position after rows were delivered, and removes segments
// that nobody needs any more.
func (j *Journal) advance(to position, rows int) {
	j.mu.Lock()
	j.position = to
	j.stats.Pending -= int64(rows)
	var gone []segment
	for len(j.segments) > 0 && j.segments[0].seq < to.seq {
		gone = append(gone, j.segments[0])
		j.segments = j.segments[1:]
	}
	close(j.moved)
	j.moved = make(chan struct{})
	j.mu.Unlock()
	for _, s := range gone {
		// One that stays is delivered again by the next process.
		if err := j.options.FS.Remove(filepath.Join(j.dir, segmentName(s.seq))); err != nil {
			j.options.Logger.Warn("removing a delivered segment", slogDir(j.dir), slogErr(err))
		}
	}
}

// savePosition writes the position down, if it has changed.
func (d *delivery) savePosition() {
	p := d.current()
	if p == d.saved {
		return
	}
	text := fmt.Sprintf("%016x %d", p.seq, p.off)
	content := fmt.Appendf(nil, "%s %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
	if err := replaceFile(d.options.FS, filepath.Join(d.dir, positionName), content); err == nil {
		d.saved = p
	}
}

// loadPosition reads what savePosition wrote. Without it everything is
// delivered again, which changes nothing.
func loadPosition(fs FS, dir string) (p position) {
	f, err := fs.Open(filepath.Join(dir, positionName))
	if err != nil {
		return position{}
	}
	defer func() { _ = f.Close() }()
	content := make([]byte, 64)
	n, _ := f.ReadAt(content, 0)
	text, sum, ok := bytes.Cut(bytes.TrimSuffix(content[:n], []byte("\n")), []byte(" "))
	off, sum, ok2 := bytes.Cut(sum, []byte(" "))
	if !ok || !ok2 || fmt.Sprintf("%08x", crc32.Checksum(content[:len(text)+1+len(off)], castagnoli)) != string(sum) {
		return position{}
	}
	seq, err1 := strconv.ParseUint(string(text), 16, 64)
	at, err2 := strconv.ParseInt(string(off), 10, 64)
	if err1 != nil || err2 != nil || at < 0 {
		return position{}
	}
	return position{seq, at}
}

// claim takes the first folder that no other process has.
func (j *Journal) claim() error {
	fs := j.options.FS
	for n := range maxProcesses {
		dir := filepath.Join(j.options.Dir, strconv.Itoa(n))
		if err := fs.MkdirAll(dir); err != nil {
			return err
		}
		held, err := fs.Lock(filepath.Join(dir, lockName))
		if errors.Is(err, ErrLocked) {
			continue
		}
		if err != nil {
			return err
		}
		j.dir, j.unlock = dir, func() { _ = held.Close() }
		return errors.Join(fs.SyncDir(j.options.Dir), fs.SyncDir(dir))
	}
	return fmt.Errorf("all of the %d folders of %s are in use", maxProcesses, j.options.Dir)
}

// recover takes up where the last process ended, and adopts the folders of
// others that died.
func (j *Journal) recover() error {
	own, err := j.load(j.dir)
	if err != nil {
		return err
	}
	j.position, j.segments = own.position, own.segments
	j.stats.Pending = int64(own.pending)
	j.interrupt(own.open)
	names, err := j.options.FS.List(j.options.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		dir := filepath.Join(j.options.Dir, name)
		if n, err := strconv.Atoi(name); err != nil || n < 0 || n >= maxProcesses || dir == j.dir {
			continue
		}
		if err := j.adopt(dir); err != nil {
			// The process goes on with its own; the next one tries again.
			j.options.Logger.Warn("adopting a journal", slogDir(dir), slogErr(err))
		}
	}
	return nil
}

// interrupt makes final rows of requests that a dead process left open.
func (j *Journal) interrupt(open map[string]*running) {
	ids := make([]string, 0, len(open))
	for id := range open {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		r := open[id]
		r.row.Interrupt(r.progress)
		j.buf = appendRow(j.buf, kindRow, &r.row)
		j.stats.Pending++
		j.stats.Interrupted++
		j.urgent = true
	}
	if len(ids) > 0 {
		j.options.Logger.Warn("requests were cut off with the process: they are charged what it last noted", slogCount(len(ids)))
	}
}

// found is what a folder holds.
type found struct {
	position position
	segments []segment
	pending  int
	open     map[string]*running

	// snapshot is the one that is being read.
	snapshot map[string]*running
}

// load reads a folder. rows, if given, receives those that are not delivered.
func (j *Journal) load(dir string, rows ...func(*ledger.Row) error) (found, error) {
	f := found{position: loadPosition(j.options.FS, dir), open: make(map[string]*running)}
	names, err := j.options.FS.List(dir)
	if err != nil {
		return f, err
	}
	sort.Strings(names)
	for _, name := range names {
		seq, ok := segmentSeq(name)
		if !ok {
			continue
		}
		size, err := j.loadSegment(filepath.Join(dir, name), seq, &f, rows)
		if err != nil {
			return f, fmt.Errorf("reading %s: %w", name, err)
		}
		f.segments = append(f.segments, segment{seq, size})
	}
	return f, nil
}

func (j *Journal) loadSegment(name string, seq uint64, f *found, rows []func(*ledger.Row) error) (int64, error) {
	file, err := j.options.FS.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	size, err := file.Size()
	if err != nil {
		return 0, err
	}
	r := reader{file: file, limit: size}
	f.snapshot = nil // one that was torn off says nothing
	for {
		frame, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		row := f.apply(frame)
		if row == nil || !f.position.before(position{seq, r.offset()}) {
			continue
		}
		f.pending++
		for _, each := range rows {
			if err := each(row); err != nil {
				return 0, err
			}
		}
	}
	if r.skipped > 0 {
		j.stats.Corrupt += int64(r.gaps)
		j.options.Logger.Warn("a segment has bytes that are no rows: a torn end, or damage", slogDir(name), slogCount(int(r.skipped)))
	}
	return size, nil
}

// apply follows which requests are open, and returns a final row.
func (f *found) apply(frame frame) *ledger.Row {
	switch frame.kind {
	case kindOpen, kindRow:
		row, err := ledger.DecodeRow(frame.payload)
		if err != nil {
			return nil
		}
		if frame.kind == kindRow {
			delete(f.open, row.RequestID)
			return &row
		}
		r := &running{row: row, progress: row.Progress()}
		if old := f.open[row.RequestID]; old != nil {
			// A snapshot repeats the begin; what is known already stays, since
			// the checkpoint that follows it may be torn off.
			r.progress = old.progress
		}
		f.open[row.RequestID] = r
		if f.snapshot != nil {
			f.snapshot[row.RequestID] = r
		}
	case kindProgress, kindForget:
		id, p, err := ledger.DecodeProgress(frame.payload)
		if err != nil {
			return nil
		}
		if frame.kind == kindForget {
			delete(f.open, id)
		} else if r := f.open[id]; r != nil {
			r.progress = p
		}
	case kindSnapshot:
		f.snapshot = make(map[string]*running)
	case kindEnd:
		// Segments between this one and older ones may be gone, and with them
		// the ends of requests that began in the older ones.
		if n, _ := binary.Uvarint(frame.payload); f.snapshot != nil && n == uint64(len(f.snapshot)) {
			f.open = f.snapshot
		}
		f.snapshot = nil
	}
	return nil
}

// adopt takes over what a dead process left in another folder, if it is dead:
// its rows are copied and made durable before its files go.
func (j *Journal) adopt(dir string) error {
	fs := j.options.FS
	held, err := fs.Lock(filepath.Join(dir, lockName))
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	w := j.newWriter()
	defer w.close()
	flush := func() error {
		// What cannot be written stays in memory, and in the other folder for
		// the next time.
		err := j.commit(w, j.rotates(w), j.buf, nil, true)
		if err == nil {
			j.buf = j.buf[:0]
		}
		return err
	}
	f, err := j.load(dir, func(row *ledger.Row) error {
		j.buf = appendRow(j.buf, kindRow, row)
		j.stats.Pending++
		j.urgent = true
		if len(j.buf) < adoptBytes {
			return nil
		}
		return flush()
	})
	if err != nil || len(f.segments) == 0 {
		return err
	}
	j.interrupt(f.open)
	if err := flush(); err != nil {
		return err
	}
	for _, s := range f.segments {
		if err := fs.Remove(filepath.Join(dir, segmentName(s.seq))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return fs.SyncDir(dir)
}
