// Package lifetime has contexts that are a field of what they are the life of,
// and ends of them that cost nothing to wait for. A call of the proxy has several
// that nobody selects on; those of the standard library take some ten pieces of
// memory for that.
package lifetime

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is a context.Context that is ended with a cause. It is a context of the
// standard library to whoever derives one from it or waits for its channel, and is
// made one only then. It must not be copied after Begin.
type Context struct {
	values context.Context // with the values, and without an end
	up     Hook            // in what it ends with
	actual atomic.Pointer[actual]

	// plain says that it has ended without a cause, and had no actual.
	plain atomic.Bool

	mu    sync.Mutex
	over  bool
	hooks *Hook // the first
}

// actual is what a Context is when it has to have a channel or a cause.
type actual struct {
	context.Context
	cancel context.CancelCauseFunc
}

// Begin makes c a context with the values of another one. It ends with that only if
// that is a Context.
func (c *Context) Begin(from context.Context) {
	if parent, ok := from.(*Context); ok {
		c.values = parent.values
		parent.add(&c.up, c, nil)
		return
	}
	c.values = context.WithoutCancel(from)
}

// End ends c, and what hangs on it, with a cause; nil stands for
// context.Canceled. Only the first end counts.
func (c *Context) End(cause error) {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.over = true
	switch a := c.actual.Load(); {
	case a != nil:
		a.cancel(cause)
	case cause != nil:
		c.actual.Store(c.made(cause))
	default:
		c.plain.Store(true)
	}
	var first *Hook
	for h := c.hooks; h != nil; h = c.hooks {
		h.takeLocked()
		h.next, first = first, h
	}
	c.mu.Unlock()
	for first != nil {
		h := first
		first, h.next = h.next, nil
		h.run(cause)
	}
	c.up.Remove()
}

// made is an actual that has ended with cause before anybody sees it.
func (c *Context) made(cause error) *actual {
	a := new(actual)
	a.Context, a.cancel = context.WithCancelCause(c.values)
	a.cancel(cause)
	return a
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	if a := c.actual.Load(); a != nil {
		return a.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.actual.Load()
	switch {
	case a != nil:
	case c.over:
		a = c.made(nil)
		c.actual.Store(a)
	default:
		a = new(actual)
		a.Context, a.cancel = context.WithCancelCause(c.values)
		c.actual.Store(a)
	}
	return a.Done()
}

// Err implements context.Context.
func (c *Context) Err() error {
	switch a := c.actual.Load(); {
	case a != nil:
		return a.Err()
	case c.plain.Load():
		return context.Canceled
	default:
		return nil
	}
}

// Value implements context.Context. It is by a key of its own that the standard
// library finds the context to hang others on, and the cause of an end.
func (c *Context) Value(key any) any {
	if a := c.actual.Load(); a != nil {
		return a.Value(key)
	}
	return c.values.Value(key)
}

// Values is a context with the values of c, and without an end.
func (c *Context) Values() context.Context { return c.values }

// Deadline implements context.Context: there is none.
func (c *Context) Deadline() (time.Time, bool) { return time.Time{}, false }

// Interface guard.
var _ context.Context = (*Context)(nil)
