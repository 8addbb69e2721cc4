package http1

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a connection. One exchange has it at a time.
type conn struct {
	net.Conn // as it was dialled, which is what is closed
	io       net.Conn
	raw      syscall.RawConn // nil where there is none
	direct   bool            // io is a socket and nothing else
	host     *host
	since    time.Time // idle
	dead     atomic.Bool

	// Method values, made once.
	hangUp func()
	peek   func(fd uintptr)
	push   func(fd uintptr) bool

	found bool // by peek
	out   [][]byte
	wrote int // of what out was
	err   error
}

// wrapped is implemented by connections that are watched by whoever dialled
// them, but read and written as what they wrap.
type wrapped interface{ Socket() net.Conn }

func newConn(dialled net.Conn, h *host) *conn {
	c := &conn{Conn: dialled, io: dialled, host: h}
	c.hangUp = c.close
	if w, ok := dialled.(wrapped); ok {
		c.io = w.Socket()
	}
	if socket, ok := c.io.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			c.raw, c.peek, c.push = raw, c.peekOnce, c.pushMore
		}
	}
	switch c.io.(type) {
	case *net.TCPConn, *net.UnixConn:
		c.direct = c.raw != nil
	}
	return c
}

// close may be called at any time and by anyone: it ends reads and writes. No
// deadline is ever set for that, which might meet the next call.
func (c *conn) close() {
	if c.dead.Swap(true) {
		return
	}
	_ = c.Conn.Close()
	c.host.closed()
}

// probed reports whether pending knows of this connection. One of which it is
// not known whether it was closed meanwhile must not be used again.
func (c *conn) probed() bool { return c.raw != nil }

// pending reports whether there is something to read: the connection's end, an
// error, or bytes that nobody asked for. It takes nothing.
func (c *conn) pending() bool {
	c.found = true
	if err := c.raw.Control(c.peek); err != nil {
		return true
	}
	return c.found
}

// writeSome writes what the socket takes of out without waiting, or the first
// part of it where that cannot be told. rest is what is left of out.
func (c *conn) writeSome(out [][]byte) (rest [][]byte, n int, err error) {
	if !c.direct {
		n, err = c.io.Write(out[0])
		return advance(out, n), n, err
	}
	c.out, c.wrote, c.err = out, 0, nil
	err = c.raw.Write(c.push)
	if err == nil {
		err = c.err
	}
	rest, c.out = c.out, nil
	return rest, c.wrote, err
}

// advance takes n bytes off the front of out.
func advance(out [][]byte, n int) [][]byte {
	for len(out) > 0 && n >= len(out[0]) {
		n -= len(out[0])
		out = out[1:]
	}
	if n > 0 {
		out[0] = out[0][n:]
	}
	return out
}
