//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// server is the user that the server runs as: itself, or for root, as whom
// PostgreSQL refuses to run, another one.
func server() (uid, gid int, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return uid, gid, true
		}
	}
	return 65534, 65534, true
}

func give(dir string) error {
	uid, gid, ok := server()
	if !ok {
		return nil
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return fmt.Errorf("giving the folder to the server's user: %w", err)
	}
	return nil
}

func unprivileged(cmd *exec.Cmd) {
	if uid, gid, ok := server(); ok {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}

// quit asks for an immediate shutdown, which ends the server's children too.
func quit(p *os.Process) { _ = p.Signal(syscall.SIGQUIT) }

// pause stops a server, which then makes no more children, and those that it has.
func pause(tb testing.TB, p *os.Process) {
	tb.Helper()
	signal(tb, p.Pid, syscall.SIGSTOP)
	for _, child := range children(tb, p) {
		signal(tb, child, syscall.SIGSTOP)
	}
}

func resume(tb testing.TB, p *os.Process) {
	tb.Helper()
	for _, child := range children(tb, p) {
		signal(tb, child, syscall.SIGCONT)
	}
	signal(tb, p.Pid, syscall.SIGCONT)
}

func signal(tb testing.TB, pid int, sig syscall.Signal) {
	tb.Helper()
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		tb.Fatal(err)
	}
}

// children are the processes of a server, which are no group.
func children(tb testing.TB, p *os.Process) (pids []int) {
	tb.Helper()
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(p.Pid)).Output() //nolint:gosec // a number
	if err != nil {
		tb.Fatal(err)
	}
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			tb.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}
