package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/internal/lifetime"
)

// grace is how long something that is nearly over is waited for: the rest of a
// request whose answer is complete, or an answer to a request that could not be
// written to its end.
const grace = 50 * time.Millisecond

// exchange is a call on its connection: its answer, and the answer's body. Its
// fields belong to whoever calls and then reads, but for the atomic ones.
type exchange struct {
	res   http.Response
	conn  *conn
	ctx   context.Context
	hook  lifetime.Hook // closes conn when ctx ends
	stop  func() bool   // in place of hook, where ctx is no lifetime.Context
	head  bool          // the request was a HEAD
	limit int           // of the answer's head

	fields *fields // memory of res.Header

	in     *buffer // what was read and not taken yet, nil when there is nothing
	rest   []byte  // of in
	length int64   // of the body, see frame
	remain int64
	chunks chunks
	err    error // what the body's reads end with

	// The connection is given back by the last who uses it: the caller, and
	// whoever still writes the request.
	parts  atomic.Int32
	wrote  chan struct{} // closed when the writer is done, nil when there is none
	last   bool          // it cannot be used again
	broken atomic.Bool   // it failed, though it may still be read from
	begun  atomic.Bool   // there is an answer
	cause  atomic.Pointer[error]

	closed atomic.Bool // the body
	left   atomic.Bool // the caller is done with the connection
}

// watch has the connection closed when ctx ends.
func (x *exchange) watch() {
	if life, ok := x.ctx.(*lifetime.Context); ok {
		life.Add(&x.hook, x.conn.hangUp)
		return
	}
	x.stop = context.AfterFunc(x.ctx, x.conn.hangUp)
}

// unwatch reports whether ctx has not ended, and has no effect any more.
func (x *exchange) unwatch() bool {
	if x.stop != nil {
		return x.stop()
	}
	return x.hook.Remove()
}

// fail ends the exchange with err.
func (x *exchange) fail(err error) {
	x.cause.CompareAndSwap(nil, &err)
	x.conn.close()
}

// why replaces the error of a connection that was closed on purpose with the
// purpose.
func (x *exchange) why(err error) error {
	if cause := context.Cause(x.ctx); cause != nil {
		return cause
	}
	if cause := x.cause.Load(); cause != nil {
		return *cause
	}
	return err
}

// leave gives up the caller's part, once. whole says that the answer was read
// to its end and no byte more.
func (x *exchange) leave(whole bool) {
	if x.left.Swap(true) {
		return
	}
	if !whole || x.last || !x.written() {
		x.conn.close()
	}
	x.part()
}

// written waits for the rest of the request, so that the next call finds the
// connection. It has usually gone out.
func (x *exchange) written() bool {
	if x.wrote == nil {
		return true
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-x.wrote:
		return true
	case <-timer.C:
		return false
	}
}

// part gives up a part, and the connection with the last.
func (x *exchange) part() {
	if x.parts.Add(-1) > 0 {
		return
	}
	// Where unwatch says no, it is being closed.
	if x.unwatch() && !x.broken.Load() && !x.conn.dead.Load() {
		x.conn.host.put(x.conn)
		return
	}
	x.conn.close()
}

// receive reads the head of the answer, and what there is of its body.
func (x *exchange) receive(timeout time.Duration) error {
	if timeout > 0 {
		timer := time.AfterFunc(timeout, func() { x.fail(errHeaderTimeout) })
		defer timer.Stop()
	}
	used := 0
	for {
		n, err := x.readHead(used)
		if err != nil {
			x.dropIn()
			return x.why(err)
		}
		used += n
		if x.res.StatusCode == http.StatusSwitchingProtocols {
			x.dropIn()
			return errSwitch
		}
		if x.res.StatusCode >= http.StatusOK {
			break
		}
	}
	length, err := frame(&x.res, x.head)
	if err != nil {
		x.dropIn()
		return err
	}
	x.begun.Store(true)
	x.length, x.remain = length, length
	x.last = x.last || x.res.Close
	if length != 0 {
		x.res.Body = x
		return nil
	}
	whole := x.in == nil // what follows belongs to nothing
	x.dropIn()
	x.res.Body = http.NoBody
	x.leave(whole)
	return nil
}

var protocol = []byte("HTTP/1.")

// readHead reads one head, of 1xx or final, of which used bytes have been
// before it.
func (x *exchange) readHead(used int) (int, error) {
	if x.in == nil {
		x.in = newInBuffer()
		x.rest = x.in.bytes
	}
	for seen := 0; ; {
		if !bytes.HasPrefix(x.rest, protocol[:min(len(x.rest), len(protocol))]) {
			return 0, errStatusLine // now: who speaks something else may wait for us
		}
		end := headEnd(x.rest, seen)
		if used+max(end, 0) > x.limit || end < 0 && used+len(x.rest) > x.limit {
			return 0, tooLarge(x.limit)
		}
		if end >= 0 {
			if x.fields == nil {
				x.fields = allFields.Get().(*fields)
			}
			if err := parseHead(x.rest[:end], &x.res, x.fields); err != nil {
				return 0, err
			}
			if x.rest = x.rest[end:]; len(x.rest) == 0 {
				x.dropIn()
			}
			return end, nil
		}
		seen = len(x.rest)
		if err := x.more(); err != nil {
			if errors.Is(err, io.EOF) && used+seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}

// more reads once behind rest, after making room.
func (x *exchange) more() error {
	b := x.in
	switch {
	case cap(x.rest) > len(x.rest):
	case len(x.rest) <= cap(b.bytes)/2: // the heads before it can go
		x.rest = append(b.bytes[:0], x.rest...)
	default:
		larger := &buffer{bytes: make([]byte, 0, 2*cap(b.bytes))}
		x.rest = append(larger.bytes, x.rest...)
		b.free()
		x.in = larger
	}
	n, err := x.conn.io.Read(x.rest[len(x.rest):cap(x.rest)])
	x.rest = x.rest[:len(x.rest)+n]
	if n > 0 {
		return nil
	}
	return err
}

func (x *exchange) dropIn() {
	if x.in != nil {
		x.in.free()
		x.in, x.rest = nil, nil
	}
}
