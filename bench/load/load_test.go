package load

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/bench/mark"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestPercentile(t *testing.T) {
	ten := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, tc := range []struct {
		values []int64
		p      float64
		want   float64
	}{
		{ten, 0, 1},
		{ten, 0.5, 5},
		{ten, 0.51, 6},
		{ten, 0.9, 9},
		{ten, 0.99, 10},
		{ten, 1, 10},
		{[]int64{7}, 0.5, 7},
		{[]int64{7}, 0.999, 7},
		{nil, 0.5, math.NaN()},
	} {
		got := Percentile(tc.values, tc.p)
		if got != tc.want && !(math.IsNaN(got) && math.IsNaN(tc.want)) {
			t.Errorf("p%v of %v is %v, want %v", 100*tc.p, tc.values, got, tc.want)
		}
	}
}

func TestSpans(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   Span
	}{
		{nil, Span{}},
		{[]float64{math.NaN(), math.Inf(1)}, Span{}},
		{[]float64{3}, Span{3, 3, 3, 1}},
		{[]float64{3, 1, 2}, Span{2, 1, 3, 3}},
		{[]float64{4, 1, math.NaN(), 2, 3}, Span{2.5, 1, 4, 4}},
	} {
		if diff := cmp.Diff(tc.want, SpanOf(tc.values)); diff != "" {
			t.Errorf("%v: %s", tc.values, diff)
		}
	}
}

// TestRatios holds that what is divided was measured in the same round.
func TestRatios(t *testing.T) {
	target := map[int]float64{0: 10, 1: 40, 2: 5, 4: 1, 5: math.NaN()}
	base := map[int]float64{0: 20, 1: 20, 3: 1, 4: 0, 5: 1}
	if diff := cmp.Diff([]float64{0.5, 2}, Ratios(target, base)); diff != "" {
		t.Error(diff)
	}
	if got := Ratios(target, nil); got != nil {
		t.Error(got)
	}
}

// hands is a clock that only moves when somebody sleeps or works.
type hands struct{ t time.Time }

func (h *hands) now() time.Time { return h.t }

func (h *hands) sleepUntil(t time.Time) {
	if t.After(h.t) {
		h.t = t
	}
}

// TestOpenLoop holds that requests that are due while a server stalls are sent
// late and that the lateness counts.
func TestOpenLoop(t *testing.T) {
	ms := time.Millisecond
	start := time.Unix(1000, 0)
	for name, tc := range map[string]struct {
		takes func(i int) time.Duration
		want  []time.Duration
	}{
		"fast": {func(int) time.Duration { return 2 * ms }, []time.Duration{2 * ms, 2 * ms, 2 * ms, 2 * ms, 2 * ms}},
		"a stall of 35 ms": {func(i int) time.Duration {
			if i == 1 {
				return 35 * ms
			}
			return 2 * ms
		}, []time.Duration{2 * ms, 35 * ms, 27 * ms, 19 * ms, 11 * ms}},
		"always too slow": {func(int) time.Duration { return 15 * ms }, []time.Duration{15 * ms, 20 * ms, 25 * ms, 30 * ms, 35 * ms}},
	} {
		h := &hands{t: start}
		p := &pace{start: start, interval: 10 * ms}
		var got []time.Duration
		i := 0
		p.open(h, start.Add(50*ms), func() bool {
			h.t = h.t.Add(tc.takes(i))
			i++
			return true
		}, func(d time.Duration) { got = append(got, d) })
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func upstream(t *testing.T, script mock.Script) *mock.Server {
	t.Helper()
	s, err := mock.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Play(script)
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		script mock.Script
		load   Load
	}{
		"closed": {mock.Script{Pad: 100}, Load{Request: Request{Path: "/v1/chat/completions", Size: 1000}}},
		"open":   {mock.Script{Pad: 100}, Load{Rate: 500, Request: Request{Path: "/v1/embeddings", Size: 1000}}},
		"stream": {mock.Script{Stream: true, Tokens: 20, Gap: time.Millisecond, Pad: 40}, Load{Chunks: 20, Request: Request{Path: "/v1/chat/completions", Stream: true, Size: 1000}}},
		"burst":  {mock.Script{Stream: true, Tokens: 200, Pad: 40}, Load{Chunks: 200, Request: Request{Path: "/v1/messages", Stream: true, Size: 1000}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := upstream(t, tc.script)
			tc.load.Addr, tc.load.Conns, tc.load.For = s.Addr(), 2, 200*time.Millisecond
			edges := 0
			got := Run(tc.load, func(func() (int64, int64)) { edges++ })
			if got.Requests == 0 || got.Failed != 0 || got.Faults.Sum() != 0 || edges != 2 {
				t.Errorf("%d requests, %d failed (%s), faults %+v, %d edges", got.Requests, got.Failed, got.Failure, got.Faults, edges)
			}
			if len(got.Latency) != got.Requests || tc.load.Chunks > 0 && len(got.Delay) != got.Chunks {
				t.Errorf("%d latencies of %d requests, %d delays of %d chunks", len(got.Latency), got.Requests, len(got.Delay), got.Chunks)
			}
		})
	}
}

// TestBad holds that answers that are wrong are seen to be.
func TestBad(t *testing.T) {
	mk := func(n int) string { return string(mark.Append(nil, mark.Mark{ID: 5, Number: n, At: 1})) }
	for name, tc := range map[string]struct {
		write  func(w http.ResponseWriter)
		chunks int
		faults mark.Faults // in each stream
		failed bool
	}{
		"good":         {func(w http.ResponseWriter) { fmt.Fprint(w, mk(0), mk(1), "[DONE]") }, 2, mark.Faults{}, false},
		"lost":         {func(w http.ResponseWriter) { fmt.Fprint(w, mk(0), "[DONE]") }, 2, mark.Faults{Lost: 1}, false},
		"doubled":      {func(w http.ResponseWriter) { fmt.Fprint(w, mk(0), mk(1), mk(1), "[DONE]") }, 2, mark.Faults{Doubled: 1}, false},
		"swapped":      {func(w http.ResponseWriter) { fmt.Fprint(w, mk(1), mk(0), "[DONE]") }, 2, mark.Faults{Reordered: 1}, false},
		"no end":       {func(w http.ResponseWriter) { fmt.Fprint(w, mk(0), mk(1)) }, 2, mark.Faults{}, true},
		"no text":      {func(w http.ResponseWriter) { fmt.Fprint(w, "{}") }, 0, mark.Faults{}, true},
		"status":       {func(w http.ResponseWriter) { w.WriteHeader(503) }, 0, mark.Faults{}, true},
		"aborted":      {func(w http.ResponseWriter) { fmt.Fprint(w, mk(0)); panic(http.ErrAbortHandler) }, 0, mark.Faults{}, true},
		"good, length": {func(w http.ResponseWriter) { w.Header().Set("Content-Length", "37"); fmt.Fprint(w, mk(0)) }, 0, mark.Faults{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tc.write(w) }))
			defer s.Close()
			streams := 0
			got := Run(Load{Addr: s.Listener.Addr().String(), Conns: 1, For: 50 * time.Millisecond, Chunks: tc.chunks, Request: Request{Path: "/", Size: 300}}, func(count func() (int64, int64)) { n, _ := count(); streams = int(n) })
			if (got.Failed > 0) != tc.failed {
				t.Errorf("%d failed (%s)", got.Failed, got.Failure)
			}
			if !tc.failed && streams == 0 {
				t.Fatal("no stream ended")
			}
			if (got.Faults.Sum() > 0) != (tc.faults.Sum() > 0) || got.Faults.Lost%max(tc.faults.Lost, 1) != 0 ||
				(got.Faults.Doubled > 0) != (tc.faults.Doubled > 0) || (got.Faults.Reordered > 0) != (tc.faults.Reordered > 0) || (got.Faults.Lost > 0) != (tc.faults.Lost > 0) {
				t.Errorf("%+v, want %+v each", got.Faults, tc.faults)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"} {
		for _, size := range []int{1000, 20_000, 200_000} {
			q := Request{Path: path, Model: "chat", Key: "k", Size: size, Turns: 5}
			f := q.form("h")
			_, body, _ := strings.Cut(string(f.bytes), "\r\n\r\n")
			if !json.Valid([]byte(body)) {
				t.Errorf("%s of %d: no JSON: %.300s", path, size, body)
			}
			if len(body) < size*8/10 || len(body) > size*12/10 {
				t.Errorf("%s of %d has %d bytes", path, size, len(body))
			}
			if len(f.nonces) < size/every {
				t.Errorf("%s of %d has %d nonces", path, size, len(f.nonces))
			}
		}
	}
}

func TestNonces(t *testing.T) {
	num := &serial{base: 1}
	seen := make(map[string]bool)
	f := (&Request{Path: "/v1/messages", Size: 1000}).form("h")
	for range 1000 {
		buf := append([]byte(nil), f.bytes...)
		num.fill(buf, f)
		seen[string(buf)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different requests of 1000", len(seen))
	}
	same := (&Request{Path: "/v1/messages", Size: 20_000, Same: true}).form("h")
	if len(same.nonces) != 0 || strings.Contains(string(same.bytes), nonce) {
		t.Error("a prompt that should not change has nonces")
	}
	tail := (&Request{Path: "/v1/messages", Size: 20_000, Turns: 5, Tail: true}).form("h")
	if len(tail.nonces) != 1 || strings.Count(string(tail.bytes), nonce) != 1 {
		t.Errorf("%d nonces, want one in the last turn", len(tail.nonces))
	}
}

func TestCrowd(t *testing.T) {
	s := upstream(t, mock.Script{Stream: true, Tokens: 1 << 20, Gap: 20 * time.Millisecond})
	c := NewCrowd(s.Addr(), Request{Path: "/v1/chat/completions", Stream: true, Size: 300})
	for _, n := range []int{10, 120} {
		if open, err := c.Grow(n); open != n || err != nil {
			t.Fatalf("%d of %d open: %v", open, n, err)
		}
	}
	if c.Chunks() < 120 || c.Broken() != 0 || len(c.Delays()) < 120 {
		t.Errorf("%d chunks, %d broken", c.Chunks(), c.Broken())
	}
	c.Shrink(100)
	for s.Stats().Gone < 20 { // the test's time limit ends it
		time.Sleep(time.Millisecond)
	}
	if f := c.Leave(); f.Sum() != 0 {
		t.Errorf("%+v", f)
	}
	for s.Stats().Gone < 120 { // the test's time limit ends it
		time.Sleep(time.Millisecond)
	}
	if c.Broken() != 0 {
		t.Errorf("%d broken", c.Broken())
	}
}

func TestCrowdRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	c := NewCrowd(addr, Request{Path: "/", Size: 300})
	if open, err := c.Grow(3); open != 0 || err == nil {
		t.Errorf("%d open, %v", open, err)
	}
	c.Leave()
	ended := upstream(t, mock.Script{Stream: true, Tokens: 2})
	c = NewCrowd(ended.Addr(), Request{Path: "/v1/messages", Size: 300})
	if _, err := c.Grow(2); err != nil {
		t.Error(err)
	}
	for c.Broken() < 2 { // the test's time limit ends it
		time.Sleep(time.Millisecond)
	}
	c.Leave()
}
