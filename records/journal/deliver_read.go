package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/weirproxy/weir/records/ledger"
)

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
