// Package redistest runs a real redis-server, or valkey-server, for tests.
package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to come up or go down.
const patience = 20 * time.Second

// Server is a server on loopback, which ends with its test.
type Server struct {
	// Addr is host:port, URL the same for clients.
	Addr, URL string

	tb   testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs the machine's own server with further arguments, such as
// "--appendonly", "yes"; the first may be a configuration file.
// Without a server on this machine the test is skipped; in CI it fails.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return Usual(tb).Start(tb, args...)
}

// Start runs this program as Start does.
func (p Program) Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr := listener.Addr().(*net.TCPAddr)
	_ = listener.Close()
	dir := tb.TempDir()
	s := &Server{Addr: addr.String(), URL: "redis://" + addr.String(), tb: tb, dir: dir}
	file := []string{p.Path}
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		file, args = append(file, args[0]), args[1:]
	}
	s.args = append(append(file,
		"--port", strconv.Itoa(addr.Port), "--bind", "127.0.0.1",
		"--save", "", "--dir", dir, "--logfile", filepath.Join(dir, "log"),
	), args...)
	s.Restart()
	tb.Cleanup(s.Stop)
	return s
}

// Restart runs the server again after Stop, on the same address.
func (s *Server) Restart() {
	s.tb.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...) //nolint:gosec // a test's own server
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	until := time.Now().Add(patience)
	for {
		if reply, err := s.Command("PING"); err == nil && reply == "+PONG" {
			return
		}
		select {
		case <-done:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.tb.Fatalf("the server ended:\n%s", log)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(until) {
			s.tb.Fatal("the server does not answer")
		}
	}
}

// Command sends one inline command and returns the first line of its answer,
// or the whole text if that is what the answer is.
func (s *Server) Command(line string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		return "", fmt.Errorf("dialling: %w", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return "", fmt.Errorf("writing: %w", err)
	}
	reader := bufio.NewReader(conn)
	answer, err := reader.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("reading: %w", err)
	}
	answer = strings.TrimSuffix(answer, "\r\n")
	length, isText := strings.CutPrefix(answer, "$")
	if !isText || length == "-1" {
		return answer, nil
	}
	n, err := strconv.Atoi(length)
	if err != nil {
		return "", fmt.Errorf("reading: %w", err)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(reader, text); err != nil {
		return "", fmt.Errorf("reading: %w", err)
	}
	return string(text), nil
}

// Port is the server's.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Must sends a command that must succeed.
func (s *Server) Must(line string) string {
	s.tb.Helper()
	reply, err := s.Command(line)
	if err != nil || reply == "" || reply[0] == '-' {
		s.tb.Fatalf("%.100s: %s %v", line, reply, err)
	}
	return reply
}

// Pause stops the server's process without closing anything: it hangs.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

// Stop kills the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	<-s.done
}
