//go:build linux || darwin || freebsd || netbsd || openbsd

package http1

import (
	"errors"
	"net"
	"os"
	"syscall"
)

const supported = true

// Pending reports whether there is something to read from c: its end, an
// error, or bytes that nobody asked for. It takes nothing, and says false
// where that cannot be known.
func Pending(c net.Conn) bool {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	found := false
	// Control, since Read would wait for whoever reads.
	err = raw.Control(func(fd uintptr) { found = peek(fd) })
	return err == nil && found
}

func peek(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
}

func (c *conn) peekOnce(fd uintptr) { c.found = peek(fd) }

// pushMore writes until the socket's buffer is full. It never asks to be
// called again.
func (c *conn) pushMore(fd uintptr) bool {
	for len(c.out) > 0 {
		n, err := writeParts(int(fd), c.out)
		switch {
		case n > 0:
			c.wrote += n
			c.out = advance(c.out, n)
		case err == syscall.EINTR: //nolint:errorlint // as the kernel gives it
		case err == syscall.EAGAIN: //nolint:errorlint
			return true
		default:
			c.err = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}
