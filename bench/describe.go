package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/weirproxy/weir/bench/proc"
)

// describe says on what and with what is measured.
func (r *runner) describe() {
	r.rep.When = time.Now().UTC().Format("2006-01-02 15:04 MST")
	cpu, cpus, memory := proc.Root.Describe()
	m := map[string]string{
		"processor": fmt.Sprintf("%d × %s", cpus, cpu),
		"memory":    fmt.Sprintf("%.0f GB", float64(memory)/1e9),
		"Go":        runtime.Version(),
	}
	if raw, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m["Linux"] = strings.TrimSpace(string(raw))
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		m["open files per process"] = fmt.Sprint(files.Cur)
		most := int(files.Cur)/2 - 200 // a stream takes two in the gateway
		for i, n := range r.profile.Hold {
			if n > most {
				r.note("open files allow %d streams of %d", most, n)
				r.profile.Hold[i] = most
				r.profile.HangUp = min(r.profile.HangUp, most)
			}
		}
	}
	m["Caddy"] = said(r.env.Caddy, "version")
	m["Weir"] = said("git", "-C", "..", "describe", "--always", "--dirty")
	if v := said("nginx", "-v"); v != "" {
		m["nginx"] = strings.TrimPrefix(v, "nginx version: ")
	} else if v := said("/usr/sbin/nginx", "-v"); v != "" {
		m["nginx"] = strings.TrimPrefix(v, "nginx version: ")
	}
	if v := said("redis-server", "--version"); v != "" {
		m["Redis"] = v
	}
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	r.rep.Machine = m
}

// said is the first line that a program prints.
func said(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
