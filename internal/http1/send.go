package http1

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// send writes the request: what the connection takes at once on the caller's
// goroutine, the rest on one of its own, while the answer is awaited. An
// upstream may answer before it has read all, or instead, and each would wait
// for the other. An error with n of 0 says that nothing was sent; after any
// other there may be an answer all the same.
func (x *exchange) send(o outgoing) (n int, err error) {
	o.out, n, err = x.conn.writeSome(o.out)
	switch {
	case err != nil:
		o.release()
		if n > 0 {
			x.lost(err)
		}
	case len(o.out) == 0 && o.src == nil:
		o.release()
	default:
		x.parts.Add(1)
		x.wrote = make(chan struct{})
		go x.sendRest(o)
	}
	return n, err
}

// lost notes that the request cannot be written to its end, and gives an
// answer a moment to be there.
func (x *exchange) lost(err error) {
	x.broken.Store(true)
	time.AfterFunc(grace, func() {
		if !x.begun.Load() && !x.left.Load() {
			x.fail(err)
		}
	})
}

// sourceError is one of the request's own body: there is nothing to wait for.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

func (x *exchange) sendRest(o outgoing) {
	err := x.writeRest(&o)
	var source sourceError
	switch {
	case errors.As(err, &source):
		x.broken.Store(true)
		x.fail(source.error)
	case err != nil:
		x.lost(err)
	}
	o.release()
	x.part()
	close(x.wrote)
}

func (x *exchange) writeRest(o *outgoing) error {
	if _, err := (*net.Buffers)(&o.out).WriteTo(x.conn.io); err != nil {
		return err
	}
	switch {
	case o.src == nil:
		return nil
	case o.length < 0:
		return x.writeChunks(o)
	}
	buf := o.buf.bytes[:cap(o.buf.bytes)]
	for remain := o.length; remain > 0; {
		n, err := o.src.Read(buf[:min(int64(len(buf)), remain)])
		if n > 0 {
			if _, err := x.conn.io.Write(buf[:n]); err != nil {
				return err
			}
		}
		if remain -= int64(n); remain > 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return sourceError{fmt.Errorf("reading the request's body: %w", err)}
		}
	}
	return nil
}

// writeChunks sends a body whose length is not known.
func (x *exchange) writeChunks(o *outgoing) error {
	const before, after = 8, 2 // the size, and the line's end behind the data
	buf := o.buf.bytes[:cap(o.buf.bytes)]
	for {
		n, err := o.src.Read(buf[before : len(buf)-after])
		if n > 0 {
			var size [before]byte
			line := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
			from := before - len(line)
			copy(buf[from:], line)
			p := append(buf[from:before+n], "\r\n"...)
			if _, err := x.conn.io.Write(p); err != nil {
				return err
			}
		}
		if err == io.EOF {
			_, err = io.WriteString(x.conn.io, "0\r\n\r\n")
			return err
		}
		if err != nil {
			return sourceError{fmt.Errorf("reading the request's body: %w", err)}
		}
	}
}
