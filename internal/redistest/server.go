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

	"github.com/weirproxy/weir/internal/needtest"
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
	return usual(tb).Start(tb, args...)
}

// Start runs this program as Start does.
func (p Program) Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	addr := "127.0.0.1:" + FreePort(tb)
	dir := tb.TempDir()
	s := &Server{Addr: addr, URL: "redis://" + addr, tb: tb, dir: dir}
	file := []string{p.Path}
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		file, args = append(file, args[0]), args[1:]
	}
	s.args = append(append(file,
		"--port", s.Port(), "--bind", "127.0.0.1",
		"--save", "", "--dir", dir, "--logfile", filepath.Join(dir, "log"),
	), args...)
	s.Restart()
	tb.Cleanup(s.Stop)
	return s
}

// FreePort finds a port where nobody listens, nor on that of a Cluster's bus,
// 10000 above.
func FreePort(tb testing.TB) string {
	tb.Helper()
	for {
		port := needtest.Port(tb)
		if bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10000)); err == nil {
			_ = bus.Close()
			return strconv.Itoa(port)
		}
	}
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
func (s *Server) Command(line string) (answer string, err error) {
	err = s.ask(line, func(r *bufio.Reader) error {
		answer, err = read(r)
		return err
	})
	return answer, err
}

// List sends a command that answers with a list of texts.
func (s *Server) List(line string) (texts []string) {
	s.tb.Helper()
	err := s.ask(line, func(r *bufio.Reader) error {
		first, err := read(r)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(strings.TrimPrefix(first, "*"))
		for range n {
			text, err := read(r)
			if err != nil {
				return err
			}
			texts = append(texts, text)
		}
		return err
	})
	if err != nil {
		s.tb.Fatalf("%.100s: %v", line, err)
	}
	return texts
}

func (s *Server) ask(line string, answer func(*bufio.Reader) error) error {
	conn, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		return fmt.Errorf("dialling: %w", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if err := answer(bufio.NewReader(conn)); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	return nil
}

// read reads a line, or the text that it announces.
func read(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	length, isText := strings.CutPrefix(line, "$")
	if !isText || length == "-1" {
		return line, nil
	}
	n, err := strconv.Atoi(length)
	if err != nil {
		return "", err
	}
	text := make([]byte, n+len("\r\n"))
	_, err = io.ReadFull(r, text)
	return string(text[:n]), err
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
