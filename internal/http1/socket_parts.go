//go:build linux || darwin || openbsd

package http1

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// writeParts is write(2) for several parts, or for the first of them.
func writeParts(fd int, parts [][]byte) (int, error) {
	if len(parts) == 1 {
		return syscall.Write(fd, parts[0])
	}
	return unix.Writev(fd, parts[:min(len(parts), 8)]) // more would need memory
}
