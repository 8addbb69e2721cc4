package handlers

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

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

// absent reports whether the client has left for good, so that the call is for
// nobody.
func (c *call) absent() bool {
	return c.r.Context().Err() != nil && !c.out.kept() && !c.handsOver()
}

// logsAccess reports whether the server of r writes access logs, so that a field for
// one may be of use. Where that is not known, it may be.
func logsAccess(r *http.Request) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return !ok || server.Logs != nil
}

// addLog puts a field into the request's access log line, unless that has been
// written: then the handler has gone.
func (c *call) addLog(field zap.Field) {
	extra, ok := c.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !c.out.detached {
		extra.Set(field)
	}
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

// kept reports whether the stream is one that the client can come back to.
func (o *output) kept() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rec != nil && o.status != 0
}

// detach takes the client away from a stream that goes on without it, and
// reports whether it does.
func (o *output) detach() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rec == nil || o.status == 0 {
		return false
	}
	o.detachLocked()
	return true
}

// detachLocked ends all writing to the client: its handler may return now, and
// nothing of the response may be touched after that.
func (o *output) detachLocked() {
	if o.detached {
		return
	}
	o.detached = true
	o.gate.leave()
	o.w = nowhere{o.w.Header().Clone()}
	o.rc = *http.NewResponseController(o.w)
	if o.rec != nil {
		o.rec.client.Leave()
	}
	close(o.left)
}

// evict takes the client away because it has come back on another connection:
// this one may be dead without anybody having noticed. A write that waits for
// it ends at once.
func (o *output) evict() {
	o.interrupt()
	o.detach()
}

// interrupt lets every write to the client fail, also one that is under way.
func (o *output) interrupt() { o.gate.shut(o.deadlines) }

// bottom is the connection's own writer: those that wrap it may not be used by
// two goroutines at once, as Caddy's of idle timeouts.
func bottom(w http.ResponseWriter) http.ResponseWriter {
	for {
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = inner.Unwrap()
	}
}

// gate keeps deadlines of a connection from being set when its handler has
// returned: another request may be served on it.
type gate struct {
	mu     sync.Mutex
	closed atomic.Bool
	gone   bool
}

// shut lets every write fail, from now on.
func (g *gate) shut(rc *http.ResponseController) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.gone {
		g.closed.Store(true)
		_ = rc.SetWriteDeadline(time.Unix(1, 0))
	}
}

// renew moves the write deadline on, unless all writes must fail.
func (g *gate) renew(rc *http.ResponseController, t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed.Load() {
		_ = rc.SetWriteDeadline(t) // not every ResponseWriter has deadlines; those do without
	}
}

// leave says that the handler is about to return.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
}

// nowhere is the connection of a client that has left. Its header can still be
// written, as long as the call goes on.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) FlushError() error           { return nil }
