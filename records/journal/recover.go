package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// found is what a folder holds.
type found struct {
	position position
	segments []segment
	pending  int
	open     map[string]*running

	// snapshot is the one that is being read, damaged that the segment has bytes
	// before it that are no frames.
	snapshot map[string]*running
	damaged  bool
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
		f.damaged = r.gaps > 0
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
		// the ends of requests that began in the older ones. But a batch that was
		// not durable can be damaged before its snapshot, whose last word then is
		// about rows that are not there: the older segments are.
		if n, _ := binary.Uvarint(frame.payload); f.snapshot != nil && n == uint64(len(f.snapshot)) && !f.damaged {
			f.open = f.snapshot
		}
		f.snapshot = nil
	}
	return nil
}
