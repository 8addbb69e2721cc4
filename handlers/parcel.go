package handlers

import (
	"io"
	"net/http"
	"sync"
)

// parcel is a body for an upstream: pieces that lie in a payload, and few that
// do not. What is edited for an upstream of the client's dialect is sent from
// where it was read to.
type parcel struct {
	pieces [][]byte // which do not change
	size   int64
	from   *payload // a reference of the parcel's

	first parcelReader
	room  [5][]byte // for pieces
}

// newParcel takes the caller's reference of from.
func newParcel(from *payload) *parcel {
	p := &parcel{from: from}
	p.pieces = p.room[:0]
	return p
}

// fill sets what the body consists of.
func (p *parcel) fill(pieces [][]byte) {
	p.pieces, p.size = pieces, 0
	for _, piece := range pieces {
		p.size += int64(len(piece))
	}
}

// join makes the body one piece. It has no readers yet.
func (p *parcel) join() {
	if len(p.pieces) == 1 {
		return
	}
	made := newPayload()
	made.bytes = grow(made.bytes, int(p.size))
	for _, piece := range p.pieces {
		made.bytes = append(made.bytes, piece...)
	}
	p.from.release()
	p.from = made
	p.fill(append(p.room[:0], made.bytes))
}

// release gives up the parcel's reference, once. Of a nil parcel there is none.
func (p *parcel) release() {
	if p != nil {
		p.from.release()
	}
}

// reader returns the body from its beginning. It holds a reference of its own
// until it is closed, as the transport promises to do.
func (p *parcel) reader() *parcelReader { return &parcelReader{pieces: p.pieces, from: p.from.hold()} }

// firstReader is reader for the first to ask.
func (p *parcel) firstReader() *parcelReader {
	p.first.pieces, p.first.from = p.pieces, p.from.hold()
	return &p.first
}

// parcelReader reads a parcel's body; it is also an http1.Memory.
type parcelReader struct {
	pieces [][]byte
	at     int // in the first of them
	from   *payload

	// HTTP/2 closes a body while it may be read on another goroutine.
	mu     sync.Mutex
	closed bool
}

func (r *parcelReader) Read(b []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	for n < len(b) && len(r.pieces) > 0 {
		m := copy(b[n:], r.pieces[0][r.at:])
		n, r.at = n+m, r.at+m
		if r.at == len(r.pieces[0]) {
			r.pieces, r.at = r.pieces[1:], 0
		}
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo implements io.WriterTo, for those who sign the body: w is memory.
func (r *parcelReader) WriteTo(w io.Writer) (n int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	for len(r.pieces) > 0 {
		m, err := w.Write(r.pieces[0][r.at:])
		n += int64(m)
		if r.at += m; err != nil {
			return n, err
		}
		r.pieces, r.at = r.pieces[1:], 0
	}
	return n, nil
}

// Parts implements http1.Memory. Who asks closes r when all has been written.
func (r *parcelReader) Parts(dst [][]byte) [][]byte {
	first := len(dst)
	if dst = append(dst, r.pieces...); len(dst) > first {
		dst[first] = dst[first][r.at:]
	}
	return dst
}

func (r *parcelReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.from.release()
	}
	return nil
}
