package handlers

import (
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/weirproxy/weir/internal/replay"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
)

// output is the way to the client. Two goroutines write to it, the handler's
// and the pulse's, one at a time.
type output struct {
	w       http.ResponseWriter
	values  values
	rc      http.ResponseController
	timeout time.Duration
	door    wire.Door

	// stream says that the client waits for events, so that a heartbeat may
	// be sent to it. array is for clients that want a stream as a JSON array,
	// which has no place for heartbeats.
	stream bool
	array  *gemini.Array

	// rec keeps a stream that its client may come back to, nil for all others.
	// left is closed when the client is gone and the stream goes on, nil where it
	// never does; detached says the same. gate guards the use of deadlines, which
	// other goroutines set.
	rec       *recording
	left      chan struct{}
	detached  bool
	gate      gate
	deadlines *http.ResponseController

	mu      sync.Mutex
	status  int // 0 until headers are out
	sent    int64
	written time.Time // of the last write
	renewed time.Time // of the write deadline
	closed  bool
	stalled bool // a write ended at its deadline
	scratch []byte

	// numbered says that events have ids.
	numbered bool

	// silent says that the client is gone and the call goes on for others.
	silent bool
}

// expectStream says that what comes is a stream, to which heartbeats may be
// sent.
func (o *output) expectStream(door wire.Door) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream, o.door = o.array == nil, door
}

// started reports whether headers are out.
func (o *output) started() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.status != 0
}

// claim ends heartbeats, so that an answer that is no stream can be sent, and
// reports whether one has opened a stream already.
func (o *output) claim() (started bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream = false
	if o.rec != nil {
		o.rec.ending = true
	}
	return o.status != 0
}

// prepare runs change, which sets headers, while no heartbeat may send them.
func (o *output) prepare(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// openStream sends the headers of a stream, if they are not out yet.
func (o *output) openStream() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.openStreamLocked(time.Now())
}

func (o *output) openStreamLocked(now time.Time) {
	if o.status != 0 || o.silent {
		return
	}
	o.set("Content-Type", "text/event-stream")
	if o.array != nil {
		o.set("Content-Type", "application/json")
	}
	o.set("Cache-Control", "no-cache, no-transform")
	o.set("X-Accel-Buffering", "no")
	delete(o.w.Header(), "Content-Length")
	if o.rec != nil {
		o.set(headerResume, "on")
		replay.Process.Put(o.rec.key, o.rec.tape)
	}
	o.renewLocked(now)
	o.status = http.StatusOK
	o.w.WriteHeader(http.StatusOK)
	o.written = now
}

// silence ends all writing to a client that is gone.
func (o *output) silence() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silent = true
}

// event sends p, whole events of a stream that is open and that came at now; flush
// pushes it out.
func (o *output) event(now time.Time, p []byte, flush bool) error {
	switch {
	case o.rec != nil:
		return o.record(p, flush)
	case o.array != nil:
		p = o.array.Append(nil, p)
	}
	return o.writeAt(now, p, flush)
}

// endStream sends what a complete stream ends with besides its events.
func (o *output) endStream() error {
	if o.array == nil {
		return nil
	}
	return o.write(o.array.Close(nil), true)
}

// write sends p, part of an answer that is open; flush pushes it out.
func (o *output) write(p []byte, flush bool) error { return o.writeAt(time.Now(), p, flush) }

func (o *output) writeAt(now time.Time, p []byte, flush bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writeLocked(now, p, flush)
}

func (o *output) writeLocked(now time.Time, p []byte, flush bool) error {
	if o.silent {
		return nil
	}
	if o.numbered && o.gate.closed.Load() {
		return os.ErrDeadlineExceeded // a wrapper would set the deadline anew
	}
	o.renewLocked(now)
	n, err := o.w.Write(p)
	o.sent += int64(n)
	o.written = now
	if err == nil && flush {
		err = o.rc.Flush()
	}
	return o.failedLocked(err)
}

// failedLocked notes whether a write that failed did so at its deadline: the
// client is there and does not read. Only the time tells, since HTTP/2 and
// HTTP/3 reset the stream then and report no timeout.
func (o *output) failedLocked(err error) error {
	if err != nil && o.timeout > 0 && !time.Now().Before(o.renewed.Add(o.timeout)) {
		o.stalled = true
	}
	return err
}

// buffered is what servers of all versions of HTTP keep of an answer until its
// handler returns: what is no longer is not written to anybody before that.
const buffered = 2 << 10

// whole sends an answer of known length in one go, so that headers and body
// share a packet.
func (o *output) whole(status int, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.silent {
		return nil
	}
	if len(body) > buffered { // a deadline costs two timers' changes
		o.renewLocked(time.Now())
	}
	o.status = status
	o.w.WriteHeader(status)
	n, err := o.w.Write(body)
	o.sent += int64(n)
	return o.failedLocked(err)
}

// open sends the headers of an answer that is copied as it comes.
func (o *output) open(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.renewLocked(time.Now())
	o.status = status
	o.w.WriteHeader(status)
}

// finish ends all writing and returns what was sent. The connection may serve
// another request, which must not inherit the deadline.
func (o *output) finish() (sent int64, status int, stalled bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if !o.renewed.IsZero() {
		o.gate.renew(&o.rc, time.Time{})
	}
	o.gate.leave()
	return o.sent, o.status, o.stalled
}
