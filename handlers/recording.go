package handlers

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/replay"
)

// headerResume asks for a stream that can be resumed, and says whether it can.
const headerResume = "X-Ai-Resume"

// recording keeps the events of a stream, numbered, for a client that comes
// back. All but gate and what it guards belong to the call's goroutine, or to
// the output's mutex.
type recording struct {
	tape   *replay.Tape
	client *replay.Client // the one that the call itself writes to
	key    string         // of the tape

	ctx   context.Context
	stall func(bool) // told when there is no room, and when there is again

	last  uint64 // number of the last event
	frame []byte

	// ending says that what comes is the last, for which nobody is waited.
	ending bool
}

// wantsResumption reports whether the client asks for a stream that it can
// come back to, where the site allows it.
func (c *call) wantsResumption() bool {
	return c.proxy.Resume > 0 && strings.EqualFold(c.r.Header.Get(headerResume), "on")
}

// exchangeApart is exchange on a goroutine of its own: the call goes on when
// its client has left, and the handler must not, since a connection ends only
// with its handler.
func (c *call) exchangeApart() error {
	type end struct {
		err      error
		panicked any
	}
	c.out.left = make(chan struct{})
	ended := make(chan end, 1)
	go func() {
		var e end
		defer func() {
			e.panicked = recover()
			c.endRecording(e.err == nil && e.panicked == nil)
			ended <- e
		}()
		e.err = c.exchange()
	}()
	select {
	case e := <-ended:
		if e.panicked != nil {
			panic(e.panicked)
		}
		return e.err
	case <-c.out.left:
		panic(http.ErrAbortHandler)
	}
}

// record prepares to keep the stream that the client waits for, if that is
// wanted.
func (c *call) record() {
	if c.out.left == nil || !c.x.Stream || c.form != nil {
		return
	}
	var r *recording
	if c.out.array == nil { // which has no place for ids
		r = &recording{ctx: c.ctx, key: c.tapeKey(), stall: c.pulse.stall}
		r.tape, r.client = replay.Process.New(replay.Options{
			Limit: c.proxy.ResumeBuffer, Keep: time.Duration(c.proxy.Resume),
			Abandon: func() { c.cancel(gateway.ErrClientGone) },
		}, c.out.evict)
	}
	c.out.prepare(func() {
		if r == nil || r.tape == nil {
			setHeader(c.out.w.Header(), headerResume, "off")
			return
		}
		c.out.number()
		c.out.rec = r
	})
}

// endRecording says that nothing more will come.
func (c *call) endRecording(complete bool) {
	o := &c.out
	o.mu.Lock()
	r, shown := o.rec, o.status != 0
	o.mu.Unlock()
	switch {
	case r == nil:
	case shown:
		r.tape.End(complete)
	default:
		r.tape.Discard()
	}
}

// tapeKey is what a client must know to come back: its own credential above
// all. Others' streams and those that never were look alike.
func (c *call) tapeKey() string {
	p := &c.caller.principal
	var who string
	switch key := c.caller.key; {
	case key != nil && !key.Anonymous:
		who = "key\x00" + key.Name + "\x00" + key.ID
	case key == nil && p.User != "":
		who = "user\x00" + p.User + "\x00" + p.Team
	default:
		who = "ip\x00" + clientIP(c.r)
	}
	return strings.Join([]string{c.r.Host, c.path, c.id, who}, "\x00")
}

// record is event for a stream that is kept. Blocks without data are not passed on:
// the official SDK for Python takes what follows an id for an event.
func (o *output) record(p []byte, flush bool) error {
	r := o.rec
	frame := r.frame[:0]
	for len(p) > 0 {
		var event []byte
		if event, p = replay.Cut(p); !replay.HasData(event) {
			continue
		}
		at := len(frame)
		r.last++
		frame = replay.AppendNumbered(frame, event, r.last)
		if err := r.keep(frame[at:]); err != nil {
			return err
		}
	}
	if r.frame = frame; cap(frame) > maxPooled {
		r.frame = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.detached {
		return nil
	}
	if err := o.writeLocked(time.Now(), frame, flush); err != nil {
		o.detachLocked()
	}
	return nil
}

// keep puts an event on the tape. Without a client it waits for room, and the
// upstream with it.
func (r *recording) keep(event []byte) error {
	if r.tape.Append(event) {
		return nil
	}
	r.stall(true)
	defer r.stall(false)
	for {
		select {
		case <-r.tape.Room():
			if r.tape.Append(event) {
				return nil
			}
		case <-r.ctx.Done():
			if !r.ending {
				return context.Cause(r.ctx)
			}
			r.tape.Force(event)
			return nil
		}
	}
}

// number prepares for a stream whose events have ids, and whose client may come
// back.
func (o *output) number() {
	o.numbered = true
	o.deadlines = http.NewResponseController(bottom(o.w))
}
