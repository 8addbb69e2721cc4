//go:build linux || darwin || freebsd || netbsd || openbsd

package upstream

import (
	"errors"
	"net"
	"syscall"
)

// readable reports whether there is something to read from c: its end, an
// error, or bytes that nobody asked for. It takes nothing.
func readable(c net.Conn) bool {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	found := false
	// Control, since Read would wait for the transport's own reader.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		found = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	})
	return err == nil && found
}
