package load

import (
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/weirproxy/weir/bench/mark"
)

// Flow is one kind of requests in a load of several, sent in an open loop.
type Flow struct {
	Name    string
	Request Request
	Rate    float64 // requests a second
	Conns   int
	Chunks  int // marks in a stream; 0 for whole answers
	Want    int // status; 0 is 200
}

// Tally is what has come of a flow.
type Tally struct {
	Done    int64  `json:"done"` // answered as they should
	Failed  int64  `json:"failed"`
	Failure string `json:"failure,omitempty"` // the first one

	// Unheard were sent again: on a connection that was closed without an answer.
	// A server that reloads closes idle ones (RFC 9112, 9.3.1 leaves what is sent
	// meanwhile to the client), and Linux resets those that its old socket has not
	// accepted yet. One that the upstream had heard of shows in its count of calls.
	Unheard int64       `json:"unheard"`
	Chunks  int64       `json:"chunks"`
	Faults  mark.Faults `json:"faults"`
}

// Flows are under way.
type Flows struct {
	wg   sync.WaitGroup
	stop chan struct{}
	all  []*flowing
}

type flowing struct {
	Flow
	stop <-chan struct{}

	mu      sync.Mutex
	tally   Tally
	latency []int64
}

// Begin puts flows on addr until they are ended.
func Begin(addr string, list []Flow) *Flows {
	f := &Flows{stop: make(chan struct{})}
	num := &serial{base: rand.Uint64()}
	start := time.Now()
	for _, flow := range list {
		w := &flowing{Flow: flow, stop: f.stop}
		f.all = append(f.all, w)
		form := flow.Request.form(addr)
		p := &pace{start: start, interval: time.Duration(float64(time.Second) / flow.Rate)}
		for range flow.Conns {
			f.wg.Go(func() { w.run(addr, form, p, num) })
		}
	}
	return f
}

func (w *flowing) run(addr string, f *form, p *pace, num *serial) {
	c := conn{addr: addr}
	defer c.close()
	buf := slices.Clone(f.bytes)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due := p.due()
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-w.stop:
			return
		}
		num.fill(buf, f)
		a, err := c.do(buf, w.Chunks)
		again := 0
		for ; again < mostAgain && a.Status == 0 && unread(err); again++ {
			a, err = c.do(buf, w.Chunks)
		}
		w.note(&a, a.failure(err, w.Want, w.Chunks), int64(again), time.Since(due))
	}
}

// mostAgain is how often a request is sent again.
const mostAgain = 3

// unread tells whether err is that of a connection which nobody reads.
func unread(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (w *flowing) note(a *Answer, failure string, again int64, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.tally
	t.Chunks += int64(a.Chunks)
	t.Faults.Add(a.Faults)
	t.Unheard += again
	if failure != "" {
		t.Failed++
		t.Failure = cmp.Or(t.Failure, failure)
		return
	}
	t.Done++
	w.latency = append(w.latency, int64(took))
}

// Look returns by name what has come of each flow so far, and the sorted times
// from when each request was due to the end of its answer since the last look.
func (f *Flows) Look() (tallies map[string]Tally, latency map[string][]int64) {
	tallies, latency = make(map[string]Tally), make(map[string][]int64)
	for _, w := range f.all {
		w.mu.Lock()
		tallies[w.Name], latency[w.Name] = w.tally, w.latency
		w.latency = nil
		w.mu.Unlock()
		slices.Sort(latency[w.Name])
	}
	return tallies, latency
}

// End sends nothing more and returns when all has been answered.
func (f *Flows) End() {
	close(f.stop)
	f.wg.Wait()
}
