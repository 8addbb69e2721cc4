// Package scripttest has servers that do with each connection as a test says,
// down to its bytes.
package scripttest

import (
	"bufio"
	"net"
	"sync"
	"testing"

	"github.com/weirproxy/weir/internal/waittest"
)

// Server is a listener with a script.
type Server struct {
	net.Listener

	// Accepted counts all connections, Open those whose script has not ended.
	Accepted, Open waittest.Count
}

// Listen returns a listener at an address, such as "127.0.0.1:0".
func Listen(tb testing.TB, address string) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

// URL is the server's, without a path.
func (s *Server) URL() string { return "http://" + s.Addr().String() }

// A Script is what a server does with a connection; the first is number 1. The
// connection is closed when it returns.
type Script func(number int64, c net.Conn, br *bufio.Reader)

// Serve runs a script at an address of its own.
func Serve(tb testing.TB, script Script) *Server {
	tb.Helper()
	return ServeOn(tb, Listen(tb, "127.0.0.1:0"), script)
}

// ServeOn runs a script for all who connect to ln. Nothing of it outlives the
// test.
func ServeOn(tb testing.TB, ln net.Listener, script Script) *Server {
	s := &Server{Listener: ln}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			number := s.Accepted.Add(1)
			s.Open.Add(1)
			all.Go(func() {
				defer s.Open.Add(-1)
				defer c.Close()
				script(number, c, bufio.NewReader(c))
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return s
}
