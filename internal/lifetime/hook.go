package lifetime

import "context"

// Hook is something that happens when a Context ends: what context.AfterFunc
// does, in memory of the caller's. The zero value is ready to be used, and again
// once it was removed.
type Hook struct {
	child *Context
	f     func()

	// All guarded by the mutex of the context.
	of         *Context // nil before Add
	in         bool
	prev, next *Hook
}

// Add has f called on a goroutine of its own when c ends, at once if it has.
func (c *Context) Add(h *Hook, f func()) { c.add(h, nil, f) }

func (c *Context) add(h *Hook, child *Context, f func()) {
	c.mu.Lock()
	h.of, h.child, h.f = c, child, f
	if c.over {
		c.mu.Unlock()
		h.run(context.Cause(c))
		return
	}
	h.in, h.prev, h.next = true, nil, c.hooks
	if h.next != nil {
		h.next.prev = h
	}
	c.hooks = h
	c.mu.Unlock()
}

// Remove takes the hook off, and reports whether that was in time: false says that
// its function was called, or that it was removed before.
func (h *Hook) Remove() bool {
	if h.of == nil {
		return false
	}
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if !h.in {
		return false
	}
	h.takeLocked()
	return true
}

func (h *Hook) takeLocked() {
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		h.of.hooks = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	h.in, h.prev, h.next = false, nil, nil
}

// run is called once, by whoever has taken the hook out.
func (h *Hook) run(cause error) {
	if h.child != nil {
		h.child.End(cause)
		return
	}
	go h.f()
}
