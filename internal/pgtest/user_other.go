//go:build !unix

package pgtest

import (
	"os"
	"os/exec"
	"testing"
)

func give(string) error { return nil }

func unprivileged(*exec.Cmd) {}

func quit(p *os.Process) { _ = p.Kill() }

func pause(tb testing.TB, _ *os.Process) { tb.Skip("NOT TESTED: no signal hangs a server here") }

func resume(testing.TB, *os.Process) {}
