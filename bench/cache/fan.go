package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"sync"
	"time"
)

// fanout is a way in which many clients get streams.
type fanout struct {
	name string
	ask  ask
	one  bool // there is one client
}

var fanouts = []fanout{
	{"one client", ask{site: cached, stream: true}, true},
	{"clients of one stream", ask{site: cached, stream: true}, false},
	{"the same written to each in a loop, without HTTP", ask{site: loop, stream: true}, false},
	{"as many streams, no cache", ask{site: proxied, stream: true, fresh: true}, false},
	{"as many streams, Caddy's reverse_proxy", ask{site: reverse, stream: true, fresh: true}, false},
}

// fanned is what clients of streams got.
type fanned struct {
	name     string
	clients  int
	calls    int64 // that the upstream has seen
	cpu      time.Duration
	p50, p99 time.Duration // of all chunks but the first
	last     time.Duration // the median over these of when the last client had it
	first    time.Duration // the median of the first chunk, with which the answer's header comes
}

// gather is how long clients have to come before the first chunk.
const gather = 4 * time.Second

// fan lets many clients ask at once and notes how late they get each chunk.
func (r *rig) fan(kind fanout, clients int, up *upstream) (*fanned, error) {
	if kind.one {
		clients = 1
	}
	p := r.of(kind.ask.site)
	addr := p.sites[kind.ask.site]
	start := time.Now().Add(gather)
	prompt := fmt.Sprintf(slow, start.UnixNano())
	calls := up.calls.Load()
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		late = make([][]time.Duration, chunks)
		fail error
	)
	for range clients {
		wait.Go(func() {
			own, err := follow(kind.ask.bytes(addr, prompt), addr)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				fail = err
				return
			}
			for i, d := range own {
				late[i] = append(late[i], d)
			}
		})
		time.Sleep(gather / 2 / time.Duration(clients))
	}
	time.Sleep(time.Until(start.Add(-gap)))
	before := p.cpu()
	time.Sleep(time.Until(start.Add((chunks - 1) * gap)))
	used := p.cpu() - before
	wait.Wait()
	if fail != nil {
		return nil, fail
	}
	out := &fanned{name: kind.name, clients: clients, calls: up.calls.Load() - calls, cpu: used / time.Duration(clients*(chunks-1))}
	var all, last []time.Duration
	out.first = median(late[0])
	for _, of := range late[1:] {
		all = append(all, of...)
		last = append(last, slices.Max(of))
	}
	slices.Sort(all)
	out.p50, out.p99, out.last = all[len(all)/2], all[len(all)*99/100], median(last)
	return out, nil
}

// follow reads a stream and returns how old each of its chunks was.
func follow(request []byte, addr string) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 4<<10)
	length, _, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	if length == inChunks { // which need not end where events do
		in = bufio.NewReader(httputil.NewChunkedReader(in))
	}
	late := make([]time.Duration, 0, chunks)
	for len(late) < chunks {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		at := bytes.Index(line, []byte(stamp))
		if at < 0 {
			continue
		}
		now := time.Now().UnixNano()
		then, err := strconv.ParseInt(string(line[at+len(stamp):][:19]), 10, 64)
		if err != nil {
			return nil, err
		}
		late = append(late, time.Duration(now-then))
	}
	return late, nil
}

// row is the outcome as a row of the page's second table.
func (f *fanned) row() string {
	return fmt.Sprintf("| %d × %s | %d | %.1f | %.2f | %.2f | %.2f | %.2f |", f.clients, f.name, f.calls, float64(f.cpu.Nanoseconds())/1000, millis(f.p50), millis(f.p99), millis(f.last), millis(f.first))
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
