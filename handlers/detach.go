package handlers

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

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

// absent reports whether the client has left for good, so that the call is for
// nobody.
func (c *call) absent() bool {
	return c.r.Context().Err() != nil && !c.out.kept() && !c.handsOver()
}
