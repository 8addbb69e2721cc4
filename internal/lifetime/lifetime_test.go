package lifetime

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var errGone = errors.New("gone")

type key struct{}

func begun(from context.Context) *Context {
	c := new(Context)
	c.Begin(from)
	return c
}

func want(t *testing.T, when string, ctx context.Context, err, cause error) {
	t.Helper()
	if got := ctx.Err(); got != err {
		t.Errorf("%s: the error is %v, want %v", when, got, err)
	}
	if got := context.Cause(ctx); got != cause {
		t.Errorf("%s: the cause is %v, want %v", when, got, cause)
	}
	select {
	case <-ctx.Done():
		if err == nil {
			t.Errorf("%s: its channel is closed", when)
		}
	default:
		if err != nil {
			t.Errorf("%s: its channel is open", when)
		}
	}
}

func TestEnds(t *testing.T) {
	for name, cause := range map[string]error{"with a cause": errGone, "without one": nil} {
		told := cause
		if told == nil {
			told = context.Canceled
		}
		for _, seen := range []string{"nobody waits", "somebody waits"} {
			t.Run(name+", "+seen, func(t *testing.T) {
				c := begun(t.Context())
				child := begun(c)
				if seen == "somebody waits" {
					want(t, "before", c, nil, nil)
					want(t, "before, its child", child, nil, nil)
				}
				c.End(cause)
				c.End(errors.New("too late"))
				want(t, "after", c, context.Canceled, told)
				want(t, "after, its child", child, context.Canceled, told)
				want(t, "who comes later", begun(c), context.Canceled, told)
			})
		}
	}
}

// TestEndsAlone holds that neither the context whose values it has ends it, nor a
// child its parent.
func TestEndsAlone(t *testing.T) {
	from, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	c := begun(from)
	child := begun(c)
	cancel()
	want(t, "the end of the other", c, nil, nil)
	child.End(errGone)
	want(t, "the child", child, context.Canceled, errGone)
	want(t, "its parent", c, nil, nil)
	if c.hooks != nil {
		t.Error("the parent knows a child that has ended")
	}
	for _, ctx := range []context.Context{c, child, begun(c)} {
		if got := ctx.Value(key{}); got != "value" {
			t.Errorf("its value is %v", got)
		}
		if _, ok := ctx.Deadline(); ok {
			t.Error("it has a deadline")
		}
	}
}

// TestDerived holds that contexts of the standard library hang on it without a
// goroutine, also behind values.
func TestDerived(t *testing.T) {
	c := begun(t.Context())
	derived, stop := context.WithTimeout(context.WithValue(begun(c), key{}, 1), time.Hour)
	defer stop()
	called := make(chan struct{})
	context.AfterFunc(derived, func() { close(called) })
	want(t, "before", derived, nil, nil)
	if left := leaktest.Left(); left != "" {
		t.Errorf("somebody waits for it:\n%s", left)
	}
	c.End(errGone)
	<-called
	want(t, "after", derived, context.Canceled, errGone)
}

func TestHooks(t *testing.T) {
	c := begun(t.Context())
	var first, second, third, late Hook
	called := make(chan int, 4)
	c.Add(&first, func() { called <- 1 })
	c.Add(&second, func() { called <- 2 })
	c.Add(&third, func() { called <- 3 })
	if !second.Remove() || second.Remove() {
		t.Error("a hook is to be removed once")
	}
	c.End(nil)
	if a, b := <-called, <-called; a+b != 4 {
		t.Errorf("hooks %d and %d were called", a, b)
	}
	if first.Remove() || third.Remove() || new(Hook).Remove() {
		t.Error("what was called, or never added, was removed in time")
	}
	c.Add(&late, func() { called <- 4 })
	if got := <-called; got != 4 || late.Remove() {
		t.Errorf("hook %d was called", got)
	}
	c = begun(t.Context())
	c.Add(&second, func() { called <- 5 })
	c.End(errGone)
	if got := <-called; got != 5 {
		t.Errorf("hook %d was called", got)
	}
}

// TestConcurrent lets everything happen at once; the race detector looks on.
func TestConcurrent(t *testing.T) {
	for range 200 {
		c := begun(t.Context())
		child := begun(c)
		var wg sync.WaitGroup
		var hook Hook
		calls := make(chan struct{}, 1)
		var removed bool
		wg.Go(func() { c.End(errGone) })
		wg.Go(func() { child.End(nil) })
		wg.Go(func() {
			c.Add(&hook, func() { calls <- struct{}{} })
			removed = hook.Remove()
		})
		wg.Go(func() {
			<-child.Done()
			if child.Err() == nil || context.Cause(child) == nil {
				t.Error("it has ended without an error")
			}
		})
		wg.Go(func() { _ = begun(child).Err() })
		wg.Wait()
		if !removed {
			<-calls
		}
		if got := context.Cause(c); got != errGone {
			t.Fatalf("the cause is %v", got)
		}
	}
}

// TestAllocations holds what this package is for.
func TestAllocations(t *testing.T) {
	from := t.Context()
	var c, child Context
	var hook Hook
	f := func() {}
	n := testing.AllocsPerRun(100, func() {
		c, child = Context{}, Context{}
		c.Begin(from)
		child.Begin(&c)
		child.Add(&hook, f)
		if context.Cause(&child) != nil || !hook.Remove() {
			t.Error("it has ended")
		}
		c.End(nil)
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}
