package inflight

import (
	"context"
	"errors"
	"testing"
)

var errRevoked = errors.New("revoked")

// against is a guard of a generation that has something against one owner.
func against(generation uint64, who string) *Guard {
	return &Guard{Generation: generation, Check: func(owner any) error {
		if owner == who {
			return errRevoked
		}
		return nil
	}}
}

func TestWatch(t *testing.T) {
	var r Registry
	first, second := r.NextGeneration(), r.NextGeneration()
	if first >= second {
		t.Errorf("generations %d and %d", first, second)
	}
	own := func(generation uint64, who string) *handler {
		h := add(&r)
		t.Cleanup(h.call.Done)
		h.call.Own(generation, who)
		return h
	}
	want := func(when string, h *handler, cause error) {
		t.Helper()
		if got := context.Cause(h.ctx); got != cause {
			t.Errorf("%s: cause %v, want %v", when, got, cause)
		}
	}
	ann, bob, nobody, late := own(first, "ann"), own(first, "bob"), add(&r), own(second, "ann")
	t.Cleanup(nobody.call.Done)
	r.Watch(against(first, "ann"))
	want("the owner", ann, errRevoked)
	want("another owner", bob, nil)
	want("a call without an owner", nobody, nil)
	want("a later generation", late, nil)

	// Who comes when it is known already.
	want("the owner comes later", own(first, "ann"), errRevoked)
	want("the owner of a later generation comes", own(second, "ann"), nil)

	r.Watch(against(second, "bob"))
	want("a later guard", bob, errRevoked)
	want("a later guard and who it knows", late, nil)
	r.Watch(against(first, "ann"))
	want("an earlier guard", late, nil)
	carl := own(second, "carl")
	r.Watch(against(second, "carl"))
	want("another guard of the same generation", carl, errRevoked)
	want("an earlier guard and the next call", own(first, "ann"), nil)
}
