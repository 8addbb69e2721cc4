package handlers

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// fakeWriter notes what an output does to a connection.
type fakeWriter struct {
	header    http.Header
	status    int
	body      string
	flushes   int
	deadlines []time.Time
	err       error
}

func (w *fakeWriter) Header() http.Header    { return w.header }
func (w *fakeWriter) WriteHeader(status int) { w.status = status }
func (w *fakeWriter) FlushError() error      { w.flushes++; return nil }

func (w *fakeWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.body += string(p)
	return len(p), nil
}

func (w *fakeWriter) SetWriteDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

func newOutput(timeout time.Duration) (*output, *fakeWriter) {
	w := &fakeWriter{header: make(http.Header)}
	return &output{w: w, rc: *http.NewResponseController(w), timeout: timeout}, w
}

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestOutputHeartbeat(t *testing.T) {
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	o, w := newOutput(30 * time.Second)
	o.expectStream(doors.Of(wire.Chat))
	const interval = 3 * time.Second
	for _, step := range []struct {
		name  string
		now   float64
		write bool // before the heartbeat
		next  float64
		body  string
	}{
		{"begins to wait", 0, false, 3, ""},
		{"early", 2, false, 3, ""},
		{"due", 3, false, 6, ": keep-alive\n\n"},
		{"due again", 6, false, 9, ": keep-alive\n\n: keep-alive\n\n"},
		{"after an event", 8, true, 11, ": keep-alive\n\n: keep-alive\n\nx"},
		{"due after it", 11, false, 14, ": keep-alive\n\n: keep-alive\n\nx: keep-alive\n\n"},
	} {
		if step.write {
			if err := o.writeLocked(at(step.now), []byte("x"), true); err != nil {
				t.Fatal(err)
			}
		}
		if next := o.heartbeat(at(step.now), interval); !next.Equal(at(step.next)) {
			t.Errorf("%s: next after %v, want %vs", step.name, next.Sub(t0), step.next)
		}
		if w.body != step.body {
			t.Errorf("%s: body %q, want %q", step.name, w.body, step.body)
		}
	}
	want := http.Header{"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-cache, no-transform"}, "X-Accel-Buffering": {"no"}}
	if diff := cmp.Diff(want, w.header); diff != "" || w.status != http.StatusOK {
		t.Errorf("status %d, header\n%s", w.status, diff)
	}
	sent, status, _ := o.finish()
	if sent != int64(len(w.body)) || status != http.StatusOK {
		t.Errorf("finish: %d, %d", sent, status)
	}
	if next := o.heartbeat(at(100), interval); !next.IsZero() || sent != int64(len(w.body)) {
		t.Error("a heartbeat after the end")
	}
	if last := w.deadlines[len(w.deadlines)-1]; !last.IsZero() {
		t.Errorf("the connection keeps the deadline %v", last)
	}
}

// TestOutputClaim ends heartbeats, so that an answer with a status of its own
// can be sent, and tells when it is too late for that.
func TestOutputClaim(t *testing.T) {
	o, w := newOutput(0)
	o.expectStream(doors.Of(wire.Messages))
	if o.claim() {
		t.Error("claim says that a stream is open")
	}
	if o.heartbeat(t0.Add(time.Hour), time.Second); w.body != "" || w.status != 0 {
		t.Errorf("status %d, body %q after the claim", w.status, w.body)
	}
	o.expectStream(doors.Of(wire.Messages))
	o.heartbeat(t0, time.Second)
	o.heartbeat(t0.Add(time.Second), time.Second)
	if !o.claim() || w.body != "event: ping\ndata: {\"type\":\"ping\"}\n\n" {
		t.Errorf("claim misses the stream that is open; body %q", w.body)
	}
}

// TestOutputDeadline moves the write deadline on before it is over, however
// short the timeout is, and not at every event.
func TestOutputDeadline(t *testing.T) {
	for _, tt := range []struct {
		name             string
		timeout, between time.Duration
		writes, renewals int
	}{
		{"usual", 30 * time.Second, 100 * time.Millisecond, 100, 2},
		{"short timeout", time.Second, 100 * time.Millisecond, 100, 20},
		{"slow events", 30 * time.Second, 20 * time.Second, 10, 10},
		{"slow events, short timeout", time.Second, 3 * time.Second, 10, 10},
		{"off", 0, time.Second, 10, 0},
		{"off in words", -1, time.Second, 10, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, w := newOutput(tt.timeout)
			now := t0
			for range tt.writes {
				_ = o.writeLocked(now, []byte("x"), false)
				if n := len(w.deadlines); n > 0 && !w.deadlines[n-1].After(now) {
					t.Fatalf("a write %v after the start finds its deadline over", now.Sub(t0))
				}
				now = now.Add(tt.between)
			}
			if n := len(w.deadlines); n != tt.renewals {
				t.Errorf("%d renewals, want %d", n, tt.renewals)
			}
		})
	}
}

func TestOutputError(t *testing.T) {
	o, w := newOutput(0)
	w.err = errors.New("broken pipe")
	if err := o.write([]byte("x"), true); !errors.Is(err, w.err) || w.flushes != 0 {
		t.Errorf("error %v, %d flushes", err, w.flushes)
	}
	if sent, _, _ := o.finish(); sent != 0 {
		t.Errorf("%d bytes sent", sent)
	}
}
