//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
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
