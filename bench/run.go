package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/bench/proc"
	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
)

// broken begins the reason of a target that is installed and not measured.
const broken = "does not work: "

// runner measures.
type runner struct {
	env     targets.Env
	profile Profile
	pprof   string
	has     func(target string) bool // whether it is measured
	harness []int                    // processes of the benchmark: this one, the upstream, Redis
	running map[string]*targets.Process
	rep     *report.Report
	end     time.Time
	noted   map[string]bool
}

func (r *runner) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !r.noted[text] {
		r.noted[text] = true
		r.rep.Notes = append(r.rep.Notes, text)
		log.Print(text)
	}
}

// play sets the upstream's script.
func (r *runner) play(s mock.Script) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	res, err := http.Post("http://"+r.env.Upstream+"/_bench/script", "application/json", bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("setting the script: %w", err)
	}
	return res.Body.Close()
}

func (r *runner) stats() (s mock.Stats, err error) {
	res, err := http.Post("http://"+r.env.Upstream+"/_bench/stats", "application/json", nil)
	if err != nil {
		return s, fmt.Errorf("asking the upstream: %w", err)
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// wanted are the entries of c that can be measured.
func (r *runner) wanted(c *Case) (out []entry) {
	list := c.entries
	if c.peers {
		list = append(slices.Clone(list), plain(peers...)...)
	}
	for _, e := range list {
		if r.has(e.target) && r.target(e.target) != nil {
			out = append(out, e)
		}
	}
	return out
}

// target starts a target at its first use; nil when it cannot be had.
func (r *runner) target(name string) *targets.Process {
	if p, ok := r.running[name]; ok {
		return p
	}
	spec, ok := targets.Find(name)
	if !ok {
		log.Fatalf("no target %s", name)
	}
	p, err := r.start(spec)
	if err != nil {
		reason := err.Error()
		if !errors.Is(err, targets.ErrAbsent) {
			reason = broken + reason
		}
		r.rep.Absent[spec.Name] = reason
		log.Printf("%s: %s", name, reason)
	}
	r.running[name] = p
	return p
}

// start starts a target and asks it something.
func (r *runner) start(spec targets.Spec) (*targets.Process, error) {
	p, err := r.env.Start(spec)
	if err != nil {
		return nil, err
	}
	if err := r.play(whole); err != nil {
		p.Stop()
		return nil, err
	}
	q := kb1
	q.Header, q.Model = p.Header, p.Prefix+q.Model
	a, err := load.Once(p.Addr, q, 0)
	for end := time.Now().Add(20 * time.Second); (err != nil || a.Status != 200) && time.Now().Before(end); a, err = load.Once(p.Addr, q, 0) {
		time.Sleep(200 * time.Millisecond)
	}
	if err == nil && (a.Status != 200 || a.Chunks == 0) {
		err = fmt.Errorf("its answer has status %d", a.Status)
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	p.Refresh()
	return p, nil
}

// rounds measures all cases again and again: what is compared is measured one
// right after the other, and drift meets all rounds alike.
func (r *runner) rounds(list []*Case) error {
	for round := range r.profile.Rounds {
		begun := time.Now()
		for _, c := range list {
			if c.once && round > 0 {
				continue
			}
			if err := r.play(c.script); err != nil {
				return err
			}
			for _, e := range r.wanted(c) {
				if err := r.measure(c, e, round); err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, e.label, err)
				}
			}
		}
		took := time.Since(begun)
		log.Printf("round %d of %d took %.0f s", round+1, r.profile.Rounds, took.Seconds())
		r.rep.Rounds = round + 1
		if round+1 < r.profile.Rounds && time.Until(r.end) < took {
			r.note("the time allows %d rounds of %d", round+1, r.profile.Rounds)
			return nil
		}
	}
	return nil
}

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
