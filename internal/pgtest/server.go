// Package pgtest runs a real PostgreSQL server for tests.
package pgtest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/needtest"
)

// patience is how long a server may take to come up or go down.
const patience = 60 * time.Second

// Server is a server on loopback, which ends with its test. Its only user is
// `weir`, who may do everything.
type Server struct {
	addr string
	tb   testing.TB
	dir  string
	bin  string
	cmd  *exec.Cmd
	done chan struct{}
	log  bytes.Buffer
}

// Start makes a cluster and runs a server on it. Without a server on this
// machine the test is skipped; in CI it fails.
func Start(tb testing.TB) *Server {
	tb.Helper()
	bin := needtest.Program(tb, "a PostgreSQL server", find())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	// Not tb.TempDir: the server's user could not enter that.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{addr: addr, tb: tb, dir: dir, bin: bin}
	if err := give(dir); err != nil {
		tb.Fatal(err)
	}
	// The durability of the tests' data is of no interest.
	if out, err := s.command("initdb", "-D", dir+"/data", "-U", "weir", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Restart()
	tb.Cleanup(s.Stop)
	return s
}

// find returns the folder of the newest server.
func find() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	sort.Strings(dirs)
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, real)
		}
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		dir := filepath.Dir(dirs[i])
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir
		}
	}
	return ""
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...) //nolint:gosec // a test's own server
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "TZ=UTC")
	unprivileged(cmd)
	return cmd
}

// URL is where a database is.
func (s *Server) URL(database string) string {
	return "postgres://weir@" + s.addr + "/" + database + "?sslmode=disable"
}

// Database makes an empty database and returns its URL.
func (s *Server) Database(name string) string {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(s.addr)
	out, err := s.command("createdb", "-h", host, "-p", port, "-U", "weir", name).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("createdb: %v\n%s", err, out)
	}
	return s.URL(name)
}

// Restart runs the server again after Stop, on the same address and data.
func (s *Server) Restart() {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(s.addr)
	s.cmd = s.command("postgres", "-D", s.dir+"/data", "-h", host, "-p", port, "-c", "fsync=off", "-c", "unix_socket_directories="+s.dir)
	s.log.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	for until := time.Now().Add(patience); ; {
		if s.command("pg_isready", "-q", "-h", host, "-p", port).Run() == nil {
			return
		}
		select {
		case <-done:
			s.tb.Fatalf("the server ended:\n%s", s.log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			s.tb.Fatal("the server does not answer")
		}
	}
}

// Stop ends the server at once, with its connections, as a crash would.
func (s *Server) Stop() {
	quit(s.cmd.Process)
	<-s.done
}
