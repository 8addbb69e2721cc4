package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
)

// census is what a process holds: goroutines by their stacks and descriptors by
// what they are of. Those of one address, an admin endpoint's, are left out:
// Caddy starts an endpoint for each configuration that it tries, shuts the one
// before down in its own time, and sometimes never when they follow each other
// closely.
type census struct{ goroutines, files map[string]int }

func takeCensus(t testing.TB, admin string) census {
	t.Helper()
	runtime.GC()
	return census{goroutines(), descriptors(t, admin)}
}

// beyond lists what c has more of than other.
func (c census) beyond(other census) string {
	var b strings.Builder
	for what, n := range c.files {
		if n > other.files[what] {
			fmt.Fprintf(&b, "%d descriptors of %s, there were %d\n", n, what, other.files[what])
		}
	}
	for stack, n := range c.goroutines {
		if n > other.goroutines[stack] {
			fmt.Fprintf(&b, "%d goroutines, there were %d, at\n%s\n", n, other.goroutines[stack], stack)
		}
	}
	return b.String()
}

// wantAsBefore waits until nothing is held that was not held before.
func wantAsBefore(t testing.TB, before census, admin string) {
	t.Helper()
	var more string
	defer func() {
		if more != "" {
			t.Logf("more than before:\n%s", more)
		}
	}()
	eventually(t, "the goroutines and descriptors of before", func() bool {
		more = takeCensus(t, admin).beyond(before)
		return more == ""
	})
}

// goroutines counts goroutines by what they were started for: where one of them
// stands at the moment says nothing.
func goroutines() map[string]int {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	counts := make(map[string]int)
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		head, _, _ := strings.Cut(block, " @ ")
		count, err := strconv.Atoi(head[strings.LastIndexByte(head, '\n')+1:])
		if err != nil || strings.Contains(block, "replaceLocalAdminServer") {
			continue
		}
		outermost := block[strings.LastIndexByte(strings.TrimSpace(block), '\n')+1:]
		if fields := strings.Fields(outermost); len(fields) > 2 {
			outermost, _, _ = strings.Cut(fields[2], "+0x")
		}
		counts[outermost] += count
	}
	return counts
}

// descriptors counts the process's descriptors by what they are of.
func descriptors(t testing.TB, without string) map[string]int {
	t.Helper()
	const dir = "/proc/self/fd"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Skip(err)
	}
	sockets := tcpSockets()
	counts := make(map[string]int)
	for _, f := range files {
		target, err := os.Readlink(filepath.Join(dir, f.Name()))
		if err != nil {
			continue // the directory's own, or one that is closed just now
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			if target = sockets[strings.TrimSuffix(inode, "]")]; strings.Contains(target, without) {
				continue
			}
			if target == "" {
				target = "a socket"
			}
		}
		counts[target]++
	}
	return counts
}

// tcpSockets describes the TCP sockets of this machine by their inodes, without
// the ports of the moment.
func tcpSockets() map[string]string {
	type socket struct{ inode, local, remote string }
	var all []socket
	listeners := make(map[string]bool)
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[0] == "sl" {
				continue
			}
			s := socket{fields[9], endpoint(fields[1]), endpoint(fields[2])}
			const listening = "0A"
			if fields[3] == listening {
				listeners[s.local] = true
				s.remote = ""
			}
			all = append(all, s)
		}
	}
	described := make(map[string]string, len(all))
	for _, s := range all {
		switch {
		case s.remote == "":
			described[s.inode] = "a listener at " + s.local
		case listeners[s.local]:
			described[s.inode] = "a connection that came to " + s.local
		case listeners[s.remote]:
			described[s.inode] = "a connection that goes to " + s.remote
		default:
			described[s.inode] = "a connection"
		}
	}
	return described
}

// endpoint reads an address such as 0100007F:A007; that of IPv6 is told by its
// port alone, which is enough here.
func endpoint(hex string) string {
	host, port, _ := strings.Cut(hex, ":")
	n, _ := strconv.ParseUint(port, 16, 16)
	v, err := strconv.ParseUint(host, 16, 32)
	if err != nil {
		return fmt.Sprintf("[::]:%d", n)
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", v&255, v>>8&255, v>>16&255, v>>24, n)
}
