package http1

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// smallRead is what is worth a read of its own. Less is taken from a buffer.
const smallRead = 512

// Read implements io.Reader. It reads into p itself, so that a stream that
// waits holds no buffer, and returns what there is of several chunks at once.
func (x *exchange) Read(p []byte) (int, error) {
	switch {
	case x.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case x.err != nil:
		return 0, x.err
	case len(p) == 0:
		return 0, nil
	}
	n, err := x.read(p)
	if err == nil {
		return n, nil
	}
	whole := err == io.EOF && x.in == nil
	x.dropIn()
	x.leave(whole)
	x.err = err
	return n, err
}

// Close implements io.Closer. Before the answer's end it closes the connection,
// by which the upstream learns that nobody wants the rest. It may be called
// while another goroutine reads.
func (x *exchange) Close() error {
	x.closed.Store(true)
	x.leave(false)
	return nil
}

// read returns some of the body, and io.EOF with the last of it.
func (x *exchange) read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if len(x.rest) > 0 {
			n, err = x.takeRest(p)
			continue
		}
		if len(p) < smallRead && (x.remain < 0 || x.remain > int64(len(p))) {
			err = x.refill()
			continue
		}
		var got int
		got, err = x.conn.io.Read(p[:x.want(len(p))])
		if got == 0 {
			err = x.ended(err)
			continue
		}
		var used int
		if n, used, err = x.decode(p[:got], p[:got]); err == io.EOF && used < got {
			x.last = true // something follows that nobody asked for
		}
	}
	return n, err
}

// want bounds a read to the body where its length is known.
func (x *exchange) want(n int) int {
	if x.length > 0 {
		return int(min(int64(n), x.remain))
	}
	return n
}

// takeRest takes from what was read before.
func (x *exchange) takeRest(p []byte) (int, error) {
	n, used, err := x.decode(p, x.rest)
	if x.rest = x.rest[used:]; len(x.rest) == 0 {
		x.dropIn()
	}
	return n, err
}

// refill reads into a buffer, for a caller who wants little at a time.
func (x *exchange) refill() error {
	x.in = newInBuffer()
	n, err := x.conn.io.Read(x.in.bytes[:x.want(inSize)])
	x.rest = x.in.bytes[:n]
	if n == 0 {
		x.dropIn()
		return x.ended(err)
	}
	return nil
}

// decode writes what src has of the body to dst, which may begin where src
// does. The error is io.EOF when it ends there.
func (x *exchange) decode(dst, src []byte) (n, used int, err error) {
	switch x.length {
	case inChunks:
		if n, used, err = x.chunks.decode(dst, src); err == nil && x.chunks.done() {
			err = io.EOF
		}
		return n, used, err
	case untilEnd:
		n = copy(dst, src)
		return n, n, nil
	}
	n = copy(dst, src[:min(int64(len(src)), x.remain)])
	if x.remain -= int64(n); x.remain == 0 {
		err = io.EOF
	}
	return n, n, err
}

// ended is what a read that brought nothing means for the body.
func (x *exchange) ended(err error) error {
	switch {
	case err == nil:
		return nil
	case err == io.EOF && x.length != untilEnd:
		err = io.ErrUnexpectedEOF
	case x.closed.Load() && errors.Is(err, net.ErrClosed):
		return http.ErrBodyReadAfterClose
	}
	return x.why(err)
}
