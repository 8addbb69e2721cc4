package lifetime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// twins are contexts that the same has happened to: one of this package, one of the
// standard library.
type twins struct {
	ours   context.Context
	theirs context.Context

	own    *Context // nil for those that hang on one
	cancel context.CancelCauseFunc
	plain  context.CancelFunc // of both, in place of cancel
}

// TestTwins lets anything happen in any order to contexts of ours and to the standard
// library's, and holds that nobody could tell which is which.
func TestTwins(t *testing.T) {
	for seed := range uint64(3000) {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { alike(t, rand.New(rand.NewPCG(seed, 1))) }) {
			return
		}
	}
}

func alike(t *testing.T, dice *rand.Rand) {
	root := &twins{own: new(Context)}
	with := context.WithValue(t.Context(), key{}, "root")
	root.own.Begin(with)
	root.ours = root.own
	root.theirs, root.cancel = context.WithCancelCause(context.WithoutCancel(with))
	all := []*twins{root}
	type hooked struct {
		hook         Hook
		stop         func() bool
		ours, theirs chan struct{} // what was called
		removed      bool
	}
	var hooks []*hooked
	for step := range 4 + dice.IntN(24) {
		switch x := all[dice.IntN(len(all))]; dice.IntN(9) {
		case 0, 1: // a child of its own
			if x.own == nil {
				continue
			}
			child := &twins{own: new(Context)}
			child.own.Begin(x.own)
			child.ours = child.own
			child.theirs, child.cancel = context.WithCancelCause(x.theirs)
			all = append(all, child)
		case 2: // the standard library's, of either
			child := new(twins)
			var ours, theirs context.CancelFunc
			child.ours, ours = context.WithCancel(x.ours)
			child.theirs, theirs = context.WithCancel(x.theirs)
			child.plain = func() { ours(); theirs() }
			all = append(all, child)
		case 3:
			name := fmt.Sprint("value ", step)
			all = append(all, &twins{ours: context.WithValue(x.ours, key{}, name), theirs: context.WithValue(x.theirs, key{}, name)})
		case 4: // an end
			var cause error
			if dice.IntN(3) > 0 {
				cause = errors.New(fmt.Sprint("cause ", step))
			}
			switch {
			case x.plain != nil:
				x.plain()
			case x.own != nil:
				x.own.End(cause)
				x.cancel(cause)
			}
		case 5:
			if x.own == nil {
				continue
			}
			h := &hooked{ours: make(chan struct{}, 1), theirs: make(chan struct{}, 1)}
			x.own.Add(&h.hook, func() { h.ours <- struct{}{} })
			h.stop = context.AfterFunc(x.theirs, func() { h.theirs <- struct{}{} })
			hooks = append(hooks, h)
		case 6:
			if len(hooks) == 0 {
				continue
			}
			h := hooks[dice.IntN(len(hooks))]
			removed := h.hook.Remove()
			if removed != h.stop() {
				t.Fatal("the removal of a hook was in time for one of them only")
			}
			h.removed = h.removed || removed
		case 7: // from now on it has a channel
			x.ours.Done()
		case 8:
			compare(t, x)
		}
	}
	for _, x := range all {
		compare(t, x)
	}
	root.own.End(nil)
	root.cancel(nil)
	for _, x := range all {
		compare(t, x)
		if x.own != nil && x.own.hooks != nil {
			t.Error("it has ended and knows hooks")
		}
	}
	for _, h := range hooks {
		if h.removed {
			if len(h.ours) > 0 {
				t.Error("a hook was called that had been removed")
			}
			continue
		}
		<-h.ours
		<-h.theirs
	}
}

func compare(t *testing.T, x *twins) {
	t.Helper()
	ended := func(ctx context.Context) bool {
		select {
		case <-ctx.Done():
			return true
		default:
			return false
		}
	}
	if ours, theirs := x.ours.Err(), x.theirs.Err(); ours != theirs {
		t.Fatalf("the error is %v, of the other %v", ours, theirs)
	}
	ours, theirs := context.Cause(x.ours), context.Cause(x.theirs)
	if (ours == nil) != (theirs == nil) || ours != nil && ours.Error() != theirs.Error() {
		t.Fatalf("the cause is %v, of the other %v", ours, theirs)
	}
	if a, b := x.ours.Value(key{}), x.theirs.Value(key{}); a != b {
		t.Fatalf("the value is %v, of the other %v", a, b)
	}
	// Done last: with it a context becomes one of the standard library.
	if a, b := ended(x.ours), ended(x.theirs); a != b {
		t.Fatalf("ended: %v, of the other %v", a, b)
	}
}
