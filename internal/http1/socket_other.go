//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package http1

import "net"

// supported is false where it is not known how to look at a connection that
// lay idle: net/http's reader has to notice there that it was closed.
const supported = false

// Pending is not known here.
func Pending(net.Conn) bool { return false }

func (c *conn) peekOnce(uintptr) { c.found = true }

func (c *conn) pushMore(uintptr) bool { panic("not supported") }
