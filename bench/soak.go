package main

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
)

// What a soak is: a target with everything that holds memory switched on, at a
// share of its processor.
const (
	soaked    = "weir-soak"
	soakShare = 0.6
	soakWait  = 20 * time.Millisecond // of the upstream, before it answers
)

// soakStream are the streams of a soak; the upstream answers all else whole.
var soakStream = mock.Script{Stream: true, Only: "/messages", Tokens: 40, Gap: 25 * time.Millisecond, TTFT: soakWait, Pad: 300}

// soakFlows are the requests of a soak, rate a second in all. Their connections
// suffice for three times as many as are under way.
func soakFlows(rate float64) []load.Flow {
	of := func(name string, share float64, takes time.Duration, change func(*load.Flow)) load.Flow {
		f := load.Flow{Name: name, Request: kb1, Rate: share * rate}
		f.Conns = 4 + int(3*f.Rate*(takes+5*time.Millisecond).Seconds())
		change(&f)
		return f
	}
	stream := func(path string) func(*load.Flow) {
		return func(f *load.Flow) {
			f.Request.Path, f.Request.Model, f.Request.Stream, f.Chunks = path, "claude", true, soakStream.Tokens
		}
	}
	streamTakes := soakWait + time.Duration(soakStream.Tokens)*soakStream.Gap
	return []load.Flow{
		of("whole", 0.55, soakWait, func(*load.Flow) {}),
		of("kept", 0.20, 0, func(f *load.Flow) { f.Request.Same = true }),
		of("streamed", 0.05, streamTakes, stream(messages)),
		of("streamed, translated", 0.05, streamTakes, stream(chat)),
		of("refused: bad key", 0.10, 0, func(f *load.Flow) { f.Request.Key, f.Want = targets.BadKey, 401 }),
		of("refused: over limit", 0.05, 0, func(f *load.Flow) { f.Request.Key, f.Want = targets.SpentKey, 429 }),
	}
}

// soakEvery is how often the target is looked at and has its configuration loaded
// anew: each minute, in short soaks more often.
func soakEvery(span time.Duration) time.Duration { return min(time.Minute, span/16) }

// soak puts a load on Weir for span and looks whether it grows.
func (r *runner) soak(span time.Duration) (*report.Soak, error) {
	r.describe()
	p := r.target(soaked)
	if p == nil {
		return nil, fmt.Errorf("%s: %s", soaked, r.rep.Absent[soaked])
	}
	// Its one request is used up, and the answer that is asked for again is kept.
	for _, change := range []func(*load.Request){func(q *load.Request) { q.Key = targets.SpentKey }, func(q *load.Request) { q.Same = true }} {
		q := kb1
		change(&q)
		if _, err := load.Once(p.Addr, q, 0); err != nil {
			return nil, err
		}
	}
	if err := r.play(soakStream); err != nil {
		return nil, err
	}
	rate, err := r.calibrate(p)
	if err != nil {
		return nil, err
	}
	s := &report.Soak{When: r.rep.When, Machine: r.rep.Machine, Pinned: r.rep.Pinned, Target: p.Title, Rate: rate}
	before, err := r.stats()
	if err != nil {
		return nil, err
	}
	log.Printf("%.0f requests a second for %v", rate, span)
	if err := r.soakAt(p, s, span); err != nil {
		return nil, err
	}
	after, err := r.stats()
	if err != nil {
		return nil, err
	}
	s.Calls = after.Requests - before.Requests
	for _, name := range []string{"whole", "streamed", "streamed, translated"} {
		s.Answered += s.Flows[name].Done
	}
	return s, nil
}

// calibrate finds how many requests a second take the share of the processor.
func (r *runner) calibrate(p *targets.Process) (rate float64, err error) {
	const settle, look = 2 * time.Second, 3 * time.Second
	rate = 200
	for range 3 {
		flows := load.Begin(p.Addr, soakFlows(rate))
		time.Sleep(settle)
		a, err := p.CPU()
		begun, before := time.Now(), served(flows)
		time.Sleep(look)
		b, err2 := p.CPU()
		took, after := time.Since(begun), served(flows)
		flows.End()
		if err := cmp.Or(err, err2); err != nil {
			return 0, err
		}
		// What was sent counts for nothing: on a busy machine less is served.
		share, came := float64(b.Since(a))/float64(took), float64(after-before)/took.Seconds()
		log.Printf("%.0f requests a second take %.0f %% of a processor", came, 100*share)
		if share == 0 || came == 0 {
			return 0, errors.New("calibrating: nothing was answered")
		}
		rate = came * min(soakShare/share, 8)
	}
	return rate, nil
}

// served is how many requests of all flows have been answered.
func served(flows *load.Flows) (n int64) {
	tallies, _ := flows.Look()
	for _, t := range tallies {
		n += t.Done
	}
	return n
}

func (r *runner) soakAt(p *targets.Process, s *report.Soak, span time.Duration) error {
	flows := load.Begin(p.Addr, soakFlows(s.Rate))
	defer func() {
		if flows != nil {
			flows.End()
		}
	}()
	start := time.Now()
	every := soakEvery(span)
	none := func() (int64, int64) { return 0, 0 }
	var last edge
	if err := r.edge(p, &last, none); err != nil {
		return err
	}
	for n := 1; ; n++ {
		time.Sleep(time.Until(start.Add(time.Duration(n) * every)))
		var now edge
		if err := r.edge(p, &now, none); err != nil {
			return err
		}
		tallies, latency := flows.Look()
		look, err := held(p)
		if err != nil {
			return err
		}
		look.At = now.at.Sub(start).Seconds()
		look.CPU = float64(now.cpu.Since(last.cpu)) / float64(now.at.Sub(last.at))
		look.Whole99 = load.Percentile(latency["whole"], 0.99) / µs
		look.Noise = noise(p, last, now)
		s.Add(look)
		last = now
		failed := int64(0)
		for _, t := range tallies {
			failed += t.Failed + int64(t.Faults.Sum())
		}
		log.Printf("%4.0f s: CPU %.0f %%, heap %.1f MB, %.0f goroutines, %.0f files, RSS %.1f MB, p99 %.1f ms, %d failures",
			look.At, 100*look.CPU, look.Heap/1024, look.Goroutines, look.Files, look.RSS/1024, look.Whole99/1000, failed)
		if now.at.Sub(start) >= span {
			break
		}
		// A limit changes, so that it is another configuration.
		err = p.Reload(func(conf string) string {
			return strings.Replace(conf, "limit requests 900M 1m", fmt.Sprintf("limit requests %dM 1m", 900+n%2), 1)
		})
		if err != nil {
			s.Refused = append(s.Refused, err.Error())
		}
		s.Reloads++
	}
	s.Seconds = time.Since(start).Seconds()
	flows.End()
	s.Flows, _ = flows.Look()
	flows = nil
	return nil
}

// held is what p holds: the median of some readings where that changes from moment
// to moment.
func held(p *targets.Process) (l report.Look, err error) {
	heap, err := p.Live()
	if err != nil {
		return l, err
	}
	var goroutines, files, rss []float64
	for range 5 {
		h, err := p.Held()
		if err != nil {
			return l, err
		}
		goroutines, files, rss = append(goroutines, float64(h.Goroutines)), append(files, float64(h.Files)), append(rss, float64(h.RSS)/1024)
		time.Sleep(100 * time.Millisecond)
	}
	l.Heap, l.Goroutines, l.Files, l.RSS = float64(heap)/1024, load.Median(goroutines), load.Median(files), load.Median(rss)
	return l, nil
}

// soakFor is the soak as a command.
func (o *options) soakFor(r *runner) error {
	s, err := r.soak(o.soak)
	if err != nil {
		return err
	}
	s.Command = fmt.Sprintf("make soak SOAK=%v", o.soak)
	fmt.Print(s.Terminal(cmp.Or(o.name, "NAME")))
	if o.name == "" {
		return nil
	}
	path := filepath.Join("results", o.name+"-soak.json")
	log.Printf("written: %s", path)
	return s.Write(path)
}
