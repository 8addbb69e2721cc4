package batch

import (
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/embedding"
)

// group is calls that are made as one. Its batcher's mutex guards what changes.
type group struct {
	batcher  *Batcher
	key      key
	provider gateway.Provider
	outgoing gateway.Call // without a body
	request  *embedding.Request
	unpack   func(*http.Response) (io.Reader, error)
	most     int

	calls         []*waiter
	inputs, bytes int
	stop          func() bool // the timer
	sent          bool

	// ctx is the upstream call's; it ends when all who wait have left.
	ctx     context.Context
	cancel  context.CancelCauseFunc
	present int
}

// waiter is one call of a group.
type waiter struct {
	operation *wire.Operation // its own
	list      []byte
	inputs    int
	tokens    int64

	// done is closed when result, err and alone are there.
	done   chan struct{}
	result Result
	err    error
	alone  bool // it is to make its call by itself
	left   bool
}

// join waits with others that ask for the same, and returns what is the call's
// own of their answer.
func (b *Batcher) join(ctx context.Context, c *Call, r *embedding.Request, header http.Header, most int) (Result, error) {
	w := &waiter{operation: c.Outgoing.Operation, list: slices.Clone(r.List()), inputs: r.Inputs, tokens: c.Tokens(), done: make(chan struct{})}
	g := b.enter(w, c, r, header, most)
	if b.entered != nil {
		b.entered()
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		sent, last := g.leave(w, context.Cause(ctx))
		return Result{Shared: sent, Follows: sent && !last, Unsent: !sent}, context.Cause(ctx)
	}
	if w.alone {
		return alone(ctx, c)
	}
	return w.result, w.err
}

// enter puts w into the group that gathers for its key, and sends the group when
// it is full, or the one before it when w has no room there.
func (b *Batcher) enter(w *waiter, c *Call, r *embedding.Request, header http.Header, most int) *group {
	k := newKey(c, r, header)
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.open[k]
	if g != nil && (g.inputs+w.inputs > min(most, g.most) || g.bytes+len(w.list) > maxBytes) {
		g.sendLocked()
		g = nil
	}
	if g == nil {
		g = &group{batcher: b, key: k, provider: c.Provider, request: r.Frame(), unpack: c.Unpack, most: most}
		g.outgoing = gateway.Call{
			Operation: r.Operation, Path: r.Operation.Path, Model: c.Outgoing.Model, Method: c.Outgoing.Method,
			Header: header, ContentType: c.Outgoing.ContentType, Account: c.Outgoing.Account,
		}
		// Nothing of any one caller's request goes with the call.
		g.ctx, g.cancel = context.WithCancelCause(context.Background())
		g.stop = b.clock.AfterFunc(b.wait, g.due)
		b.open[k] = g
	}
	g.calls = append(g.calls, w)
	g.present++
	g.inputs += w.inputs
	g.bytes += len(w.list)
	if g.inputs >= g.most {
		g.sendLocked()
	}
	return g
}

// due is what the timer runs.
func (g *group) due() {
	g.batcher.mu.Lock()
	defer g.batcher.mu.Unlock()
	g.sendLocked()
}

// sendLocked ends the gathering.
func (g *group) sendLocked() {
	if g.sent {
		return
	}
	g.closeLocked()
	if len(g.calls) == 1 {
		g.calls[0].alone = true
		close(g.calls[0].done)
		g.cancel(nil)
		return
	}
	go g.run(g.calls)
}

func (g *group) closeLocked() {
	g.sent = true
	g.stop()
	if g.batcher.open[g.key] == g {
		delete(g.batcher.open, g.key)
	}
}

// leave takes w out. sent is false when nothing of it has been sent; last says that
// all others have left.
func (g *group) leave(w *waiter, cause error) (sent, last bool) {
	g.batcher.mu.Lock()
	defer g.batcher.mu.Unlock()
	w.left = true
	g.present--
	if g.sent {
		if g.present == 0 {
			g.cancel(cause)
		}
		return len(g.calls) > 1, g.present == 0 // one alone has yet to make its call
	}
	g.calls = slices.DeleteFunc(g.calls, func(other *waiter) bool { return other == w })
	g.inputs -= w.inputs
	g.bytes -= len(w.list)
	if g.present == 0 {
		g.closeLocked()
		g.cancel(nil)
	}
	return false, false
}

// leader is the first that is still there; nil when all have left.
func (g *group) leader(calls []*waiter) *waiter {
	g.batcher.mu.Lock()
	defer g.batcher.mu.Unlock()
	for _, w := range calls {
		if !w.left {
			return w
		}
	}
	return nil
}
