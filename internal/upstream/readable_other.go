//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package upstream

import "net"

// readable is not known here; the transport's reader has to notice.
func readable(net.Conn) bool { return false }
