package main

import (
	"fmt"
	"log"
	"runtime/debug"
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/bench/proc"
	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
)

// silence is between two chunks of a stream that is held open.
const silence = 2 * time.Second

// hold opens more and more streams through each target, freshly started, looks
// at its memory, and hangs them all up.
func (r *runner) hold() error {
	script := mock.Script{Stream: true, Tokens: 1 << 20, Gap: silence, Pad: 20}
	for _, name := range r.profile.Held {
		spec, _ := targets.Find(name)
		if p, ok := r.running[name]; !ok || p == nil {
			continue // not in this profile, or it does not work
		}
		if time.Until(r.end) < 20*time.Second && r.profile.Name == "full" {
			r.note("the time does not allow to hold streams open through %s", spec.Title)
			continue
		}
		p, err := r.start(spec)
		if err != nil {
			return err
		}
		if err = r.play(script); err == nil {
			err = r.crowd(p)
		}
		p.Stop()
		debug.FreeOSMemory()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (r *runner) crowd(p *targets.Process) error {
	q := kb1
	q.Stream, q.Header, q.Model = true, p.Header, p.Prefix+q.Model
	crowd := load.NewCrowd(p.Addr, q)
	defer crowd.Leave()
	rss0, err := p.RSS()
	if err != nil {
		return err
	}
	sockets0, err := proc.Root.SocketMemory()
	if err != nil {
		return err
	}
	most := 0
	for _, n := range r.profile.Hold {
		open, err := crowd.Grow(n)
		if err != nil {
			r.note("%s: %d streams of %d: %v", p.Name, open, n, err)
		}
		// Each stream has come to rest and had a chunk or two.
		time.Sleep(silence)
		if err := r.look(p, crowd, n, open, rss0, sockets0); err != nil {
			return err
		}
		if most = open; open < n {
			break
		}
	}
	if most < r.profile.HangUp {
		return nil
	}
	return r.hangUp(p, crowd)
}

// look takes a sample of open streams.
func (r *runner) look(p *targets.Process, crowd *load.Crowd, n, open int, rss0, sockets0 int64) error {
	var a, b edge
	count := func() (int64, int64) { return 0, crowd.Chunks() }
	crowd.Delays()
	if err := r.edge(p, &a, count); err != nil {
		return err
	}
	time.Sleep(max(silence, r.profile.For))
	if err := r.edge(p, &b, count); err != nil {
		return err
	}
	delays := crowd.Delays()
	rss, err := p.RSS()
	if err != nil {
		return err
	}
	sockets, err := proc.Root.SocketMemory()
	if err != nil {
		return err
	}
	v := map[string]float64{
		report.Streams: float64(open), report.Broken: float64(crowd.Broken()), // refused ones too
		report.RSS: float64(rss) / 1024, report.PerStream: float64(rss-rss0) / 1024 / float64(open),
		report.Sockets:  float64(sockets-sockets0) / 1024 / float64(open),
		report.ChunkCPU: float64(b.cpu.Since(a.cpu)) / µs / float64(b.chunks-a.chunks),
		report.Delay50:  load.Percentile(delays, 0.5) / µs, report.Delay99: load.Percentile(delays, 0.99) / µs,
	}
	name := fmt.Sprintf("hold-%d", n)
	r.rep.Titles[name] = fmt.Sprintf("%d open streams, a chunk each two seconds", n)
	r.rep.Add(report.Sample{Case: name, Entry: p.Name, Values: v, Noise: noise(p, a, b)})
	return nil
}

// hangUp lets clients leave at once and sees when the upstream knows.
func (r *runner) hangUp(p *targets.Process, crowd *load.Crowd) error {
	n := r.profile.HangUp
	crowd.Shrink(n)
	before, err := r.settled(int64(n))
	if err != nil {
		return err
	}
	start := time.Now()
	faults := crowd.Leave()
	const patience = 15 * time.Second
	for time.Since(start) < patience {
		now, err := r.stats()
		if err != nil {
			return err
		}
		if now.Gone-before.Gone >= int64(n) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	now, err := r.stats()
	if err != nil {
		return err
	}
	v := map[string]float64{
		report.Lost: float64(faults.Lost), report.Doubled: float64(faults.Doubled),
		report.Reordered: float64(faults.Reordered), report.Foreign: float64(faults.Foreign),
	}
	if gone := now.Gone - before.Gone; gone < int64(n) {
		r.note("%s: %v after %d clients hung up the upstream had seen %d go", p.Name, patience, n, gone)
		v[report.GoneAfter] = float64(patience) / µs
	} else {
		v[report.GoneAfter] = float64(now.LastGone-start.UnixNano()) / µs
	}
	name := fmt.Sprintf("hang-up-%d", n)
	r.rep.Titles[name] = fmt.Sprintf("%d clients hang up at once", n)
	r.rep.Add(report.Sample{Case: name, Entry: p.Name, Values: v})
	return nil
}

// settled waits until the upstream has no more than n streams open.
func (r *runner) settled(n int64) (s mock.Stats, err error) {
	for range 500 {
		if s, err = r.stats(); err != nil || s.Open <= n {
			return s, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	log.Printf("the upstream still has %d streams open", s.Open)
	return s, nil
}
