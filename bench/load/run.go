package load

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/bench/mark"
)

// Load is what is put on a target.
type Load struct {
	Addr    string
	Request Request
	Conns   int
	Rate    float64       // requests a second, sent whatever is answered; 0: each connection's next after its last
	Chunks  int           // marks in a stream; 0 for whole answers
	Late    time.Duration // a chunk that comes so long after it was sent was held back; 0: not looked at
	Want    int           // status; 0 is 200
	Warm    time.Duration // load before anything is counted
	For     time.Duration
	Stagger time.Duration // between the starts of connections, so that streams do not march in step
}

// Outcome is what came of a load while it was counted.
type Outcome struct {
	Requests int // answered as they should
	Failed   int
	Failure  string // the first one
	Wall     time.Duration

	Latency []int64 // sorted, nanoseconds from when each was due to its end
	First   []int64 // … to its first mark, of those that were sent while it was counted
	Delay   []int64 // of each chunk, from its mark to its arrival
	Chunks  int
	Late    int
	Faults  mark.Faults
}

// worker counts by itself; nobody waits for a lock while load runs.
type worker struct {
	l     *Load
	form  *form
	buf   []byte
	c     conn
	num   *serial
	on    *atomic.Bool // counting
	done  *atomic.Int64
	chunk *atomic.Int64
	out   Outcome
}

// Run puts l on its target. Before and after the counted time it calls edge,
// which may ask how many requests and chunks are done while it works.
func Run(l Load, edge func(count func() (requests, chunks int64))) Outcome {
	f := l.Request.form(l.Addr)
	num := &serial{base: rand.Uint64()}
	var on, stop atomic.Bool
	var done, chunks atomic.Int64
	start := time.Now()
	var p *pace
	if l.Rate > 0 {
		p = &pace{start: start, interval: time.Duration(float64(time.Second) / l.Rate)}
	}
	workers := make([]*worker, l.Conns)
	var wg sync.WaitGroup
	for i := range workers {
		w := &worker{l: &l, form: f, buf: slices.Clone(f.bytes), c: conn{addr: l.Addr}, num: num, on: &on, done: &done, chunk: &chunks}
		w.c.delay = w.delay
		workers[i] = w
		wg.Go(func() {
			defer w.c.close()
			time.Sleep(time.Duration(i) * l.Stagger)
			if p != nil {
				p.open(wallClock{}, start.Add(l.Warm+l.For), w.send, w.took)
				return
			}
			for !stop.Load() {
				sent := time.Now()
				if w.send() {
					w.took(time.Since(sent))
				}
			}
		})
	}
	time.Sleep(l.Warm)
	count := func() (int64, int64) { return done.Load(), chunks.Load() }
	edge(count)
	begun := time.Now()
	on.Store(true)
	time.Sleep(l.For)
	on.Store(false)
	wall := time.Since(begun)
	edge(count)
	stop.Store(true)
	wg.Wait()
	var out Outcome
	for _, w := range workers {
		out.add(&w.out)
	}
	out.Wall = wall
	slices.Sort(out.Latency)
	slices.Sort(out.First)
	slices.Sort(out.Delay)
	return out
}

func (o *Outcome) add(w *Outcome) {
	o.Requests += w.Requests
	o.Failed += w.Failed
	if o.Failure == "" {
		o.Failure = w.Failure
	}
	o.Latency = append(o.Latency, w.Latency...)
	o.First = append(o.First, w.First...)
	o.Delay = append(o.Delay, w.Delay...)
	o.Chunks += w.Chunks
	o.Late += w.Late
	o.Faults.Add(w.Faults)
}

func (w *worker) delay(ns int64) {
	w.chunk.Add(1)
	if w.l.Chunks == 0 || !w.on.Load() {
		return
	}
	w.out.Chunks++
	w.out.Delay = append(w.out.Delay, ns)
	if w.l.Late > 0 && ns > int64(w.l.Late) {
		w.out.Late++
	}
}

// send sends one request; it reports whether the answer was what it should be.
func (w *worker) send() bool {
	w.num.fill(w.buf, w.form)
	counts := w.on.Load()
	a, err := w.c.do(w.buf, w.l.Chunks)
	failure := a.failure(err, w.l.Want, w.l.Chunks)
	// Chunks are held to account in every stream, also before counting began.
	w.out.Faults.Add(a.Faults)
	if failure != "" {
		w.out.Failed++
		if w.out.Failure == "" {
			w.out.Failure = failure
		}
		return false
	}
	w.done.Add(1)
	if w.on.Load() {
		w.out.Requests++
	}
	// The first on a connection has the gateway open one as well.
	if counts && a.First != 0 {
		w.out.First = append(w.out.First, a.First-a.Sent.UnixNano())
	}
	return true
}

func (w *worker) took(d time.Duration) {
	if w.on.Load() {
		w.out.Latency = append(w.out.Latency, int64(d))
	}
}

// Once sends one request and returns its status and the start of its answer; it
// is how a target is known to be ready.
func Once(addr string, q Request, chunks int) (Answer, error) {
	f := q.form(addr)
	num := &serial{base: rand.Uint64()}
	buf := bytes.Clone(f.bytes)
	num.fill(buf, f)
	c := conn{addr: addr}
	defer c.close()
	return c.do(buf, chunks)
}
