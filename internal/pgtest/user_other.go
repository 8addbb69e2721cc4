//go:build !unix

package pgtest

import (
	"os"
	"os/exec"
)

func give(string) error { return nil }

func unprivileged(*exec.Cmd) {}

func quit(p *os.Process) { _ = p.Kill() }
