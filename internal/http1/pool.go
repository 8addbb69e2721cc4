package http1

import (
	"context"
	"slices"
	"sync"
	"time"
)

// host is where connections lead, and those that lie idle.
type host struct {
	transport *Transport
	address   string

	mu      sync.Mutex
	idle    []*conn // the one that was used last is the last
	waiting []*waiter
	open    int  // connections, and dials
	closing bool // CloseIdleConnections was called, and nobody has called since
	sweeper *time.Timer
}

// waiter is a call that waits for a connection: its own dial's, or one that
// another call gives back sooner.
type waiter struct {
	served chan struct{} // closed when conn or err is set
	conn   *conn
	reused bool
	err    error

	cancel context.CancelFunc // of its dial; nil when it has none
}

// take returns a connection: that which was used last, since those that lie
// longest are closed first, by either side.
func (h *host) take(ctx context.Context) (c *conn, reused bool, err error) {
	for {
		h.mu.Lock()
		h.closing = false
		if n := len(h.idle); n > 0 {
			c := h.idle[n-1]
			h.idle[n-1] = nil
			h.idle = h.idle[:n-1]
			h.transport.idle.Add(-1)
			h.mu.Unlock()
			if c.pending() {
				c.close()
				continue
			}
			return c, true, nil
		}
		w := &waiter{served: make(chan struct{})}
		h.waiting = append(h.waiting, w)
		h.dialFor(w)
		h.mu.Unlock()
		select {
		case <-w.served:
		case <-ctx.Done():
			h.leave(w)
			return nil, false, context.Cause(ctx)
		}
		if w.err == nil && w.reused && w.conn.pending() {
			w.conn.close()
			continue
		}
		return w.conn, w.reused, w.err
	}
}

// dialFor begins a dial for w if there may be another connection. h.mu is held.
func (h *host) dialFor(w *waiter) {
	if most := h.transport.MaxPerHost; most > 0 && h.open >= most {
		return
	}
	h.open++
	// A call's values are not the dial's, which may outlive it.
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go h.dial(ctx, w)
}

func (h *host) dial(ctx context.Context, w *waiter) {
	defer w.cancel()
	dialled, err := h.transport.Dial(ctx, "tcp", h.address)
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.forget(w) {
			w.err = err
			close(w.served)
		}
		h.gone()
		return
	}
	c := newConn(dialled, h)
	h.mu.Lock()
	if h.forget(w) {
		w.conn = c
		close(w.served)
		h.mu.Unlock()
		return
	}
	h.mu.Unlock()
	h.put(c) // w has got another, or has left
}

// forget takes w out of those that wait, and reports whether it was one. h.mu
// is held.
func (h *host) forget(w *waiter) bool {
	i := slices.Index(h.waiting, w)
	if i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
	return i >= 0
}

// leave is called by a waiter whose context has ended.
func (h *host) leave(w *waiter) {
	h.mu.Lock()
	waited := h.forget(w)
	cancel := w.cancel
	h.mu.Unlock()
	switch {
	case !waited && w.conn != nil:
		h.put(w.conn)
	case waited && cancel != nil:
		cancel()
	}
}

// put takes a connection back that can be used again.
func (h *host) put(c *conn) {
	h.mu.Lock()
	if len(h.waiting) > 0 {
		w := h.waiting[0]
		h.waiting = slices.Delete(h.waiting, 0, 1)
		w.conn, w.reused = c, true
		close(w.served)
		h.mu.Unlock()
		return
	}
	t := h.transport
	if h.closing || !c.probed() || len(h.idle) >= t.MaxIdlePerHost {
		h.mu.Unlock()
		c.close()
		return
	}
	c.since = time.Now()
	h.idle = append(h.idle, c)
	var over *conn
	if n := t.idle.Add(1); t.MaxIdle > 0 && n > int64(t.MaxIdle) {
		over = h.oldest()
	}
	if h.sweeper == nil && t.IdleTimeout > 0 {
		h.sweeper = time.AfterFunc(t.IdleTimeout, h.sweep)
	}
	h.mu.Unlock()
	if over != nil {
		over.close()
	}
}

// oldest takes out the connection that lay longest. h.mu is held.
func (h *host) oldest() *conn {
	c := h.idle[0]
	h.idle = slices.Delete(h.idle, 0, 1)
	h.transport.idle.Add(-1)
	return c
}

// sweep closes what has lain too long.
func (h *host) sweep() {
	var old []*conn
	h.mu.Lock()
	now, timeout := time.Now(), h.transport.IdleTimeout
	for len(h.idle) > 0 && now.Sub(h.idle[0].since) >= timeout {
		old = append(old, h.oldest())
	}
	switch {
	case h.sweeper == nil: // closeIdle came in between
	case len(h.idle) == 0:
		h.sweeper = nil
	default:
		h.sweeper.Reset(timeout - now.Sub(h.idle[0].since))
	}
	h.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

func (h *host) closeIdle() {
	h.mu.Lock()
	all := h.idle
	h.idle, h.closing = nil, true
	h.transport.idle.Add(-int64(len(all)))
	if h.sweeper != nil {
		h.sweeper.Stop()
		h.sweeper = nil
	}
	h.mu.Unlock()
	for _, c := range all {
		c.close()
	}
}

// closed is called once for each connection that was closed.
func (h *host) closed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone()
}

// gone makes room for another connection. h.mu is held.
func (h *host) gone() {
	h.open--
	for _, w := range h.waiting {
		if w.cancel == nil {
			h.dialFor(w)
			return
		}
	}
}
