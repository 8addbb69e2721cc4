//go:build freebsd || netbsd

package http1

import "syscall"

// writeParts is write(2) for several parts, or for the first of them.
func writeParts(fd int, parts [][]byte) (int, error) { return syscall.Write(fd, parts[0]) }
