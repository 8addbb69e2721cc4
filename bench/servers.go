package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/bench/targets"
)

// beUpstream serves until its standard input ends, as it does when the one who
// started it is gone.
func beUpstream(addr string) error {
	s, err := mock.New(addr)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		s.Close()
	}()
	return s.Serve()
}

// beginUpstream starts the upstream as a process of its own.
func (r *runner) beginUpstream() (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	port, err := targets.FreePort()
	if err != nil {
		return nil, err
	}
	r.env.Upstream = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cmd := exec.Command(self, "-upstream", r.env.Upstream)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), goGC+"="+ownGC)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	r.harness = []int{os.Getpid(), cmd.Process.Pid}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	return stop, listens(r.env.Upstream)
}

// beginRedis starts a Redis for the limits, if there is a redis-server.
func (r *runner) beginRedis() (stop func(), err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, nil // the targets that need it say so
	}
	port, err := targets.FreePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no")
	cmd.Dir = r.env.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := listens(addr); err != nil {
		stop()
		return nil, err
	}
	r.env.Redis = addr
	r.harness = append(r.harness, cmd.Process.Pid)
	return stop, nil
}

func listens(addr string) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("nobody listens at %s", addr)
}
