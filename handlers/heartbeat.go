package handlers

import (
	"bytes"
	"time"
)

// renewAfter is how old a write deadline may be at most before it is set anew:
// once per event would cost a timer update each.
const renewAfter = 5 * time.Second

// renewal is how often the write deadline moves on. It must do so well before
// it is over, or a stream that was silent for a while ends at its next event.
func (o *output) renewal() time.Duration {
	if o.timeout > 0 {
		return min(renewAfter, o.timeout/2)
	}
	return renewAfter
}

// heartbeat sends a sign of life if nothing was sent for interval, and keeps
// the write deadline ahead of a stream that is silent: on HTTP/2 it is a timer
// that resets the stream even when nothing is being written. It returns when
// the next one is due.
func (o *output) heartbeat(now time.Time, interval time.Duration) (next time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return time.Time{}
	}
	o.renewLocked(now)
	if !o.stream || interval <= 0 || o.detached || o.silent {
		return now.Add(o.renewal())
	}
	if o.written.IsZero() {
		o.written = now
	}
	if due := o.written.Add(interval); now.Before(due) {
		return earlier(due, now.Add(o.renewal()))
	}
	o.openStreamLocked(now)
	o.scratch = o.door.AppendHeartbeat(o.scratch[:0])
	if o.numbered && o.scratch[0] == ':' {
		// Alone in its block a comment would be an event for SDKs that have seen
		// an id. It goes before the next event.
		o.scratch = bytes.TrimSuffix(o.scratch, []byte("\n"))
	}
	// An error shows again at the next event, and in the request's context.
	_ = o.writeLocked(now, o.scratch, true)
	return earlier(now.Add(interval), now.Add(o.renewal()))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// renewLocked moves the write deadline on: it bounds how long a client may
// refuse to read.
func (o *output) renewLocked(now time.Time) {
	if o.timeout > 0 && now.Sub(o.renewed) >= o.renewal() {
		o.gate.renew(&o.rc, now.Add(o.timeout))
		o.renewed = now
	}
}
