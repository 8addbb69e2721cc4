package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// profiled is what `-only cached-hit` shows.
const profiled = `
A hit does what respond does not: it finds the caller and counts the request under the limits, reads the body and hashes it, and writes one record
into two logs. By its CPU profile a quarter of its time goes to the write to the socket, a seventh to Caddy's access log, an eighteenth to the usage log.
` + "`cd bench && go run ./cache -only cached-hit`" + ` writes that profile; ` + "`cached-miss-stream`, `fan-cached`" + ` and others do the same.
`

// report is what the page says.
type report struct {
	machine  string
	pinned   bool
	rounds   int
	slot     time.Duration
	compared []*compared
	fans     []*fanned
}

func machine() string {
	cpu := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(text), " ")
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s; load average %s when the measurement began", cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
}

func (r *report) page() []byte {
	var b strings.Builder
	pinned := "Caddy is not pinned to a core"
	if r.pinned {
		pinned = "Caddy is pinned to one core (GOMAXPROCS=1), clients and upstream have the others"
	}
	fmt.Fprintf(&b, `# What the cache costs

<!-- This page is written by bench/cache. -->

`+"```"+`console
$ cd bench && go run ./cache
`+"```"+`

%s. %s.

## Hits and misses

Answers of %d bytes over HTTP/1.1. What is compared alternates, %d rounds of %v each; ratios are of one round, given as the median
and the bounds. With Weir, everything is on: a key, four limits, the usage log, the records in SQLite, metrics and the access log. `+"`respond`"+` does
nothing but answer; "with log and metrics" it has Caddy's access log and metrics too. CPU is user and system time of the process for each request, in
µs: at %d connections, where the core is busy, and as a ratio also at one. Latency is that of one connection, in µs.

| | CPU | ratio | ratio, one connection | p50 | ratio | p99 |
|---|---|---|---|---|---|---|
`, r.machine, pinned, bodySize, r.rounds, r.slot, busy)
	for _, c := range r.compared {
		b.WriteString(c.row() + "\n")
	}
	b.WriteString(profiled)
	if len(r.fans) == 0 {
		return []byte(b.String())
	}
	fmt.Fprintf(&b, `
## Many clients of one stream

%d chunks, %v apart; each has in it when the upstream wrote it. "Late" is from then until a client has read it, in ms; the last client's is the median
over all chunks. The first chunk, with which the answer's header comes, is apart. CPU is the process's for each chunk and client, in µs. The streams that are not shared run in step, so that all
have a chunk at the same time too. The loop reads a chunk and writes it to one socket after the other and does nothing else: what that takes is the
cost of so many writes and so many clients on this machine.

| | upstream calls | CPU | late, p50 | late, p99 | late, the last client | the first chunk, p50 |
|---|---|---|---|---|---|---|
`, chunks, gap)
	for _, f := range r.fans {
		b.WriteString(f.row() + "\n")
	}
	return []byte(b.String())
}
