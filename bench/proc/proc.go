// Package proc reads from Linux's /proc what processes and the machine spend.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is a hundredth of a second on every Linux that Go runs on (USER_HZ).
const tick = 10 * time.Millisecond

var errForm = errors.New("unexpected form")

// FS is where /proc is mounted.
type FS string

// Root is the machine's own.
const Root FS = "/proc"

func (fs FS) read(name ...string) ([]byte, error) {
	return os.ReadFile(filepath.Join(append([]string{string(fs)}, name...)...))
}

// CPU is what a process and its descendants have used.
type CPU struct {
	ticks time.Duration         // of utime and stime: complete, in steps of 10 ms
	tasks map[int]time.Duration // of each thread alive, in nanoseconds
}

// Since is what was used since before. The kernel's fine count is of threads
// that live, so it is taken where none has ended in between.
func (c CPU) Since(before CPU) time.Duration {
	var sum time.Duration
	for tid, was := range before.tasks {
		now, lives := c.tasks[tid]
		if !lives || now < was {
			return c.ticks - before.ticks
		}
	}
	for tid, now := range c.tasks {
		sum += now - before.tasks[tid]
	}
	if len(c.tasks) == 0 {
		return c.ticks - before.ticks
	}
	return sum
}

// CPUOf adds up the processes.
func (fs FS) CPUOf(pids []int) (CPU, error) {
	c := CPU{tasks: make(map[int]time.Duration)}
	for _, pid := range pids {
		st, err := fs.stat(pid)
		if err != nil {
			return c, err
		}
		c.ticks += st.cpu
		names, err := filepath.Glob(filepath.Join(string(fs), strconv.Itoa(pid), "task", "*", "schedstat"))
		if err != nil {
			return c, err
		}
		for _, name := range names {
			raw, err := os.ReadFile(name)
			if err != nil {
				continue // a thread that has just ended
			}
			tid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				continue
			}
			if c.tasks[tid], err = runTime(raw); err != nil {
				return c, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return c, nil
}

// runTime reads the first of the three numbers of a schedstat.
func runTime(raw []byte) (time.Duration, error) {
	fields := bytes.Fields(raw)
	if len(fields) != 3 {
		return 0, errForm
	}
	ns, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return time.Duration(ns), err
}

type stat struct {
	parent int
	cpu    time.Duration
}

func (fs FS) stat(pid int) (stat, error) {
	raw, err := fs.read(strconv.Itoa(pid), "stat")
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(string(raw))
	if err != nil {
		return s, fmt.Errorf("stat of %d: %w", pid, err)
	}
	return s, nil
}

// parseStat reads /proc/PID/stat. The program's name, the second field, may
// hold spaces and parentheses: what counts is the last one.
func parseStat(line string) (s stat, err error) {
	i := strings.LastIndexByte(line, ')')
	if i < 0 {
		return s, errForm
	}
	f := strings.Fields(line[i+1:])
	if len(f) < 13 {
		return s, errForm
	}
	if s.parent, err = strconv.Atoi(f[1]); err != nil {
		return s, errForm
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return s, errForm
	}
	s.cpu = time.Duration(user+system) * tick
	return s, nil
}

// Tree returns pid and its descendants.
func (fs FS) Tree(pid int) []int {
	children := make(map[int][]int)
	entries, err := os.ReadDir(string(fs))
	if err != nil {
		return []int{pid}
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, err := fs.stat(child); err == nil {
			children[st.parent] = append(children[st.parent], child)
		}
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// RSS is the resident memory of the processes in bytes. Pages that they share
// are counted for each.
func (fs FS) RSS(pids []int) (bytes int64, err error) {
	for _, pid := range pids {
		raw, err := fs.read(strconv.Itoa(pid), "status")
		if err != nil {
			return 0, err
		}
		kb, err := field(string(raw), "VmRSS:")
		if err != nil {
			return 0, fmt.Errorf("status of %d: %w", pid, err)
		}
		bytes += kb << 10
	}
	return bytes, nil
}

// Files is how many descriptors the processes have open.
func (fs FS) Files(pids []int) (n int, err error) {
	for _, pid := range pids {
		list, err := os.ReadDir(filepath.Join(string(fs), strconv.Itoa(pid), "fd"))
		if err != nil {
			return 0, err
		}
		n += len(list)
	}
	return n, nil
}

// field is the number that follows name at the start of a line.
func field(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				return strconv.ParseInt(f[0], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no %s: %w", name, errForm)
}

// SocketMemory is what the kernel holds in the buffers of all TCP sockets of
// the machine, in bytes.
func (fs FS) SocketMemory() (int64, error) {
	raw, err := fs.read("net", "sockstat")
	if err != nil {
		return 0, err
	}
	pages, err := socketPages(string(raw))
	return pages * int64(os.Getpagesize()), err
}

func socketPages(text string) (int64, error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(f); i += 2 {
			if f[i] == "mem" {
				return strconv.ParseInt(f[i+1], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no memory of TCP: %w", errForm)
}
