package inflight

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// errEnd is the cause of a drain.
var errEnd = errors.New("end")

// handler is a call that ends as a test wants.
type handler struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	call    *Call
	settle  sync.Once
	settled chan struct{}
}

func (h *handler) Cancel(cause error) { h.cancel(cause) }

func (h *handler) Settle() { h.settle.Do(func() { close(h.settled) }) }

// add enters a call whose context is cancelled by the registry.
func add(r *Registry) *handler {
	ctx, cancel := context.WithCancelCause(context.Background())
	h := &handler{ctx: ctx, cancel: cancel, call: new(Call), settled: make(chan struct{})}
	r.Add(h.call, h)
	return h
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestRegistry(t *testing.T) {
	var r Registry
	if !closed(r.Idle()) || r.Len() != 0 || r.Exiting() {
		t.Error("an empty registry is not idle")
	}
	a, b := add(&r), add(&r)
	idle, also := r.Idle(), r.Idle()
	a.call.Done()
	if closed(idle) || r.Len() != 1 {
		t.Errorf("idle with %d in flight", r.Len())
	}
	b.call.Done()
	if !closed(idle) || !closed(also) || r.Len() != 0 {
		t.Errorf("not idle with %d in flight", r.Len())
	}
	r.SetExiting(true)
	if !r.Exiting() {
		t.Error("not exiting")
	}
}

func TestDrainOfNothing(t *testing.T) {
	var r Registry
	r.Drain(context.Background(), time.Hour, time.Hour, errEnd)
}

// TestDrainWaits holds that calls which end by themselves are left alone.
func TestDrainWaits(t *testing.T) {
	var r Registry
	h := add(&r)
	drained := make(chan struct{})
	go func() {
		r.Drain(context.Background(), time.Hour, time.Hour, errEnd)
		close(drained)
	}()
	if closed(drained) || h.ctx.Err() != nil {
		t.Error("the drain did not wait")
	}
	h.call.Done()
	<-drained
	if h.ctx.Err() != nil || closed(h.settled) {
		t.Error("a call that ended by itself was ended")
	}
}

// TestDrainEnds holds that what does not end is told why and may settle
// itself; only what is stuck is settled for it.
func TestDrainEnds(t *testing.T) {
	var r Registry
	polite := add(&r)
	go func() {
		<-polite.ctx.Done()
		polite.call.Done()
	}()
	r.Drain(context.Background(), 0, time.Hour, errEnd)
	if context.Cause(polite.ctx) != errEnd || closed(polite.settled) {
		t.Errorf("cause %v, settled %v", context.Cause(polite.ctx), closed(polite.settled))
	}

	stuck := add(&r)
	r.Drain(context.Background(), 0, 0, errEnd)
	if context.Cause(stuck.ctx) != errEnd || !closed(stuck.settled) {
		t.Errorf("cause %v, settled %v", context.Cause(stuck.ctx), closed(stuck.settled))
	}
	stuck.call.Done() // it may come back after all
	if r.Len() != 0 {
		t.Errorf("%d in flight", r.Len())
	}
}

func TestDrainIsCutShort(t *testing.T) {
	var r Registry
	h := add(&r)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Drain(ctx, time.Hour, time.Hour, errEnd)
	if !closed(h.settled) {
		t.Error("not settled")
	}
	h.call.Done()
}

func TestRegistryUnderLoad(t *testing.T) {
	var r Registry
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				h := add(&r)
				r.Cancel(errEnd)
				if context.Cause(h.ctx) != errEnd {
					t.Error("a call was missed")
				}
				h.call.Done()
			}
		})
		wg.Go(func() {
			for range 100 {
				<-r.Idle()
			}
		})
	}
	wg.Wait()
	if r.Len() != 0 || !closed(r.Idle()) {
		t.Errorf("%d in flight", r.Len())
	}
}
