package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/proc"
	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
)

// edge is what was spent up to a moment.
type edge struct {
	requests, chunks int64
	cpu, own         proc.CPU // of the target; of upstream and load
	machine          proc.Machine
	heap             targets.Heap
	heapAt           int64 // how many requests were done when heap was read
	hasHeap          bool
	at               time.Time
}

func (r *runner) edge(p *targets.Process, e *edge, count func() (int64, int64)) (err error) {
	if p.Kind != "direct" {
		if e.cpu, err = p.CPU(); err != nil {
			return err
		}
	}
	e.requests, e.chunks = count()
	e.at = time.Now()
	if e.own, err = proc.Root.CPUOf(r.harness); err != nil {
		return err
	}
	e.machine, err = proc.Root.Machine()
	return err
}

// readHeap reads what p has allocated, which happened when half of the requests
// that end meanwhile had ended.
func (e *edge) readHeap(p *targets.Process, count func() (int64, int64)) {
	before, _ := count()
	e.heap, e.hasHeap = p.Heap()
	after, _ := count()
	e.heapAt = (before + after) / 2
}

// measure takes one sample.
func (r *runner) measure(c *Case, e entry, round int) error {
	p := r.running[e.target]
	q := c.with(e)
	q.Header, q.Model = p.Header, p.Prefix+q.Model
	if e.want == 429 {
		// Its one request is used up.
		if _, err := load.Once(p.Addr, q, 0); err != nil {
			return err
		}
	}
	l := load.Load{
		Addr: p.Addr, Request: q, Conns: c.conns, Rate: c.rate, Chunks: c.chunks, Late: c.late, Want: e.want,
		Warm: max(r.profile.Warm, c.starts*time.Duration(c.conns)), For: max(r.profile.For, c.fixed), Stagger: c.starts,
	}
	var edges [2]edge
	var fault error
	n := 0
	profiled := r.profiles(c, e, p, l.For)
	out := load.Run(l, func(count func() (int64, int64)) {
		g := &edges[n]
		if n == 0 { // what reading the heap costs stays outside of what is timed
			g.readHeap(p, count)
		}
		if err := r.edge(p, g, count); err != nil {
			fault = err
		}
		if n == 1 {
			g.readHeap(p, count)
		}
		n++
	})
	if err := cmp.Or(fault, profiled()); err != nil {
		return err
	}
	if out.Failed > 0 {
		r.note("%s, %s: %d requests failed beside %d that did not: %s", c.name, e.label, out.Failed, out.Requests, out.Failure)
	}
	r.rep.Add(report.Sample{Case: c.name, Entry: e.label, Round: round, Values: r.values(c, p, out, edges[0], edges[1]), Noise: noise(p, edges[0], edges[1])})
	return nil
}

// profiles takes profiles of p beside a sample, where they are asked for; wait returns when
// they are written.
func (r *runner) profiles(c *Case, e entry, p *targets.Process, span time.Duration) (wait func() error) {
	if r.pprof == "" {
		return func() error { return nil }
	}
	path := filepath.Join(r.pprof, strings.ReplaceAll(c.name+"."+e.label, " ", "-"))
	done := make(chan error, 1)
	go func() {
		done <- p.Profile(fmt.Sprintf("profile?seconds=%d", max(1, int(span/time.Second))), path+".cpu")
	}()
	return func() error {
		return cmp.Or(<-done, p.Profile("allocs", path+".allocs"))
	}
}

func noise(p *targets.Process, a, b edge) proc.Noise {
	own := b.own.Since(a.own)
	if p.Kind != "direct" {
		own += b.cpu.Since(a.cpu)
	}
	return b.machine.Noise(a.machine, own)
}

const µs = float64(time.Microsecond)

func (r *runner) values(c *Case, p *targets.Process, out load.Outcome, a, b edge) map[string]float64 {
	v := map[string]float64{report.Failed: float64(out.Failed)}
	requests, wall := float64(b.requests-a.requests), b.at.Sub(a.at)
	if requests == 0 && c.chunks == 0 || c.chunks > 0 && b.chunks == a.chunks {
		r.note("%s, %s: nothing was answered in the time", c.name, p.Name)
		return v
	}
	own := b.own.Since(a.own)
	v[report.Harness] = float64(own) / float64(wall)
	if v[report.Harness] > 0.95 && p.Kind != "direct" {
		r.note("%s: upstream and load used all of their processor with %s: its rate and latencies are theirs", c.name, p.Name)
	}
	if p.Kind != "direct" {
		cpu := float64(b.cpu.Since(a.cpu))
		if c.chunks > 0 {
			v[report.ChunkCPU] = cpu / µs / float64(b.chunks-a.chunks)
		} else {
			v[report.CPU] = cpu / µs / requests
			v[report.PerCPU] = requests / (cpu / float64(time.Second))
		}
		if a.hasHeap && b.hasHeap && c.chunks == 0 {
			v[report.Objects] = float64(b.heap.Objects-a.heap.Objects) / float64(b.heapAt-a.heapAt)
			v[report.Bytes] = float64(b.heap.Bytes-a.heap.Bytes) / float64(b.heapAt-a.heapAt)
		}
		if rss, err := p.RSS(); err == nil {
			v[report.RSS] = float64(rss) / 1024
		}
	}
	if c.chunks == 0 {
		v[report.Rate] = requests / wall.Seconds()
		for name, q := range map[string]float64{report.P50: 0.5, report.P90: 0.9, report.P99: 0.99, report.P999: 0.999} {
			v[name] = load.Percentile(out.Latency, q) / µs
		}
		return v
	}
	v[report.Chunks] = float64(b.chunks-a.chunks) / wall.Seconds()
	v[report.First50] = load.Percentile(out.First, 0.5) / µs
	v[report.Delay50], v[report.Delay99] = load.Percentile(out.Delay, 0.5)/µs, load.Percentile(out.Delay, 0.99)/µs
	v[report.Lost], v[report.Doubled] = float64(out.Faults.Lost), float64(out.Faults.Doubled)
	v[report.Reordered], v[report.Foreign] = float64(out.Faults.Reordered), float64(out.Faults.Foreign)
	if c.late > 0 {
		v[report.Late] = float64(out.Late)
	}
	return v
}
