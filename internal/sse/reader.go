package sse

import (
	"errors"
	"io"
	"math"
)

const (
	firstBuffer = 4 << 10
	keptBuffer  = 64 << 10 // the largest buffer that survives Reset
	// maxEmptyReads is how often in a row a source may return nothing at all.
	maxEmptyReads = 100
	// calmFills is after how many refills that found little the large buffer
	// of one large event is given up: a stream may stay open for an hour.
	calmFills = 64
)

var errBadCount = errors.New("reading stream: the source returned an impossible count")

// Reader splits a stream into events. It is not safe for concurrent use.
type Reader struct {
	src io.Reader
	max int
	err error // what src said last; nothing is read after it

	buf   []byte
	start int // of the event at hand
	pos   int // of the line at hand
	end   int // of the bytes received

	// lf and cr are the places of the next LF and CR, unless they are before
	// pos; then there is none between pos and lfSeen or crSeen.
	lf, lfSeen int
	cr, crSeen int

	begun   bool      // the byte order mark has been dealt with
	skipLF  bool      // an LF here belongs to a line that has been delivered
	lineEnd lineEnd   // of the line before
	ready   bool      // the event at hand is complete
	block   block     // what is known of the event at hand
	join    [2][]byte // data of several lines: of the event at hand, of the one delivered
	calm    int
	fatal   error
}

// NewReader returns a reader of src whose events have at most limit bytes;
// MaxEvent if it is not positive.
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 || limit > math.MaxInt32 {
		limit = MaxEvent
	}
	r := &Reader{max: limit}
	r.Reset(src)
	return r
}

// Reset makes the reader ready for another stream, for use in a pool. A nil src
// drops the reference to the old one. A buffer of more than 64 KB is released.
func (r *Reader) Reset(src io.Reader) {
	fresh := Reader{src: src, max: r.max, lf: -1, cr: -1}
	if len(r.buf) <= keptBuffer {
		fresh.buf = r.buf
	}
	for i, b := range r.join {
		if cap(b) <= keptBuffer {
			fresh.join[i] = b[:0]
		}
	}
	*r = fresh
}

// Next reads the next event into ev. The error is
//
//   - io.EOF at the clean end of the stream,
//   - io.ErrUnexpectedEOF, with the rest in ev, when the stream ended within an
//     event (many upstreams omit the last blank line; the caller decides),
//   - *TooLongError when the event exceeds the limit, and again from then on,
//   - the error of the source as it is, with an empty ev, after all complete
//     events have been delivered. A source that fails with io.ErrUnexpectedEOF,
//     as an HTTP body does when the connection is cut, is so told from an
//     unfinished event, which is never empty.
func (r *Reader) Next(ev *Event) error {
	if r.fatal != nil {
		*ev = Event{}
		return r.fatal
	}
	for !r.ready && !r.advance() {
		switch {
		case r.end-r.start > r.max:
			return r.tooLong(ev)
		case r.err == io.EOF && r.end > r.start:
			r.finish(ev)
			return io.ErrUnexpectedEOF
		case r.err != nil:
			*ev = Event{}
			return r.err
		}
		r.fill()
	}
	if r.pos-r.start > r.max {
		return r.tooLong(ev)
	}
	r.deliver(ev)
	return nil
}

// Ready reports whether Next would return a complete event without reading, so
// that a flush can wait for it. What it looks at is not looked at again.
func (r *Reader) Ready() bool { return r.fatal == nil && r.advance() }

// Passed returns the last n bytes of the events that Next has returned, in one
// piece: those of several events that arrived together. Their bytes are there
// as long as Ready has been true before each Next since the first of them, and
// if none but an event that is clean is among them.
func (r *Reader) Passed(n int) []byte { return r.buf[r.start-n : r.start : r.start] }

// SourceErr returns the error that ended the source, io.EOF included; nil while
// it has not ended.
func (r *Reader) SourceErr() error { return r.err }

func (r *Reader) tooLong(ev *Event) error {
	*ev = Event{}
	r.fatal = &TooLongError{Limit: r.max}
	r.buf, r.join = nil, [2][]byte{}
	return r.fatal
}

// fill reads once, after making room. Moving the event at hand to the front
// happens at most once for each event, and doubling the buffer keeps the copies
// proportional to its size, even if the source yields single bytes.
func (r *Reader) fill() {
	r.makeRoom()
	for range maxEmptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			n, err = 0, errBadCount
		}
		r.end += n
		if err != nil {
			r.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	r.err = io.ErrNoProgress
}

func (r *Reader) makeRoom() {
	held := r.end - r.start
	size := len(r.buf)
	switch {
	case size == 0:
		size = firstBuffer
	case held == size:
		size = grown(size)
	case size > keptBuffer && held < firstBuffer:
		if r.calm++; r.calm > calmFills {
			size = firstBuffer
		}
	default:
		r.calm = 0
	}
	// One byte over the limit tells an event that is too long from one that
	// fits, and leaves room to see the LF after its last CR.
	size = min(size, r.max+1)
	if size == len(r.buf) {
		if r.start > 0 {
			copy(r.buf, r.buf[r.start:r.end])
		}
	} else {
		buf := make([]byte, size)
		copy(buf, r.buf[r.start:r.end])
		r.buf, r.calm = buf, 0
	}
	r.pos -= r.start
	r.lf -= r.start
	r.cr -= r.start
	r.lfSeen -= r.start
	r.crSeen -= r.start
	r.start, r.end = 0, held
}

// grown doubles small buffers and quadruples large ones, so that reaching the
// limit leaves little garbage behind.
func grown(size int) int {
	if size < 1<<20 {
		return 2 * size
	}
	return 4 * size
}
