package capacity

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newSet() *Set { return NewSet(queue.NewSet(queue.System{})) }

// TestEnter holds that no more than the bound are in at a time, whoever races
// for it, and that nobody counts where there is none.
func TestEnter(t *testing.T) {
	s := newSet()
	bound := &Bound{MaxInFlight: 5}
	gate := s.Gate("gpu")
	var in atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if gate.Enter(bound) {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 5 || !gate.Full(bound) {
		t.Errorf("%d are in, full %v", in.Load(), gate.Full(bound))
	}
	gate.Leave()
	if gate.Full(bound) || !gate.Enter(bound) || gate.Enter(bound) {
		t.Error("a place that was left")
	}
	if !s.Gate("other").Enter(&Bound{}) || s.Gate("other").Full(&Bound{}) {
		t.Error("no bound")
	}
}

// still is a clock whose timers never end: who waits asks only when woken.
type still struct{ queue.System }

func (still) AfterFunc(time.Duration, func()) (stop func() bool) { return func() bool { return true } }

// TestConfigure holds that the running configuration's bounds hold for all,
// whichever they came with, that those who wait are let in by them at once, and
// that what is under way counts.
func TestConfigure(t *testing.T) {
	s := NewSet(queue.NewSet(still{}))
	old := &Bound{MaxInFlight: 1}
	for _, other := range []string{"a", "b", "c"} {
		s.Gate(other).Enter(old)
		ticket, _, err := s.Gate(other).Join(queue.Request{Bearer: "a", Arrived: time.Now(), Asked: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			<-ticket.Turn()
			ticket.Leave(0)
			s.Gate(other).Left()
		}()
	}
	gate := s.Gate("gpu")
	gate.Enter(old)
	ticket, _, err := gate.Join(queue.Request{Bearer: "a", Arrived: time.Now(), Asked: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Configure(map[string]Bound{"gpu": {MaxInFlight: 2}, "a": {}, "b": {MaxInFlight: 3}, "c": {MaxInFlight: 4}})
	<-ticket.Turn()
	if !gate.Enter(old) || gate.Enter(old) {
		t.Error("the new bound does not hold")
	}
	ticket.Admitted()
	gate.Left()
	s.Configure(map[string]Bound{"gpu": {MaxInFlight: 1}})
	gate.Leave()
	if gate.Enter(&Bound{}) {
		t.Error("one that is under way does not count")
	}
	s.Configure(nil) // the provider is gone: its last calls have their own
	if gate.Enter(old) || !gate.Enter(&Bound{MaxInFlight: 2}) {
		t.Error("its own bound does not hold")
	}
}

// TestNoPassing holds that who comes while others wait finds the gate full,
// though a place is free, and that a full line is one.
func TestNoPassing(t *testing.T) {
	s := newSet()
	bound := &Bound{MaxInFlight: 1, Length: 1}
	gate := s.Gate("gpu")
	gate.Enter(bound)
	ticket, position, err := gate.Join(queue.Request{Bearer: "a", Arrived: time.Now(), Length: 1, Asked: true})
	if err != nil || position != 1 {
		t.Fatal(position, err)
	}
	if _, _, err := gate.Join(queue.Request{Bearer: "a", Arrived: time.Now(), Length: 1}); !errors.Is(err, queue.ErrFull) {
		t.Error(err)
	}
	gate.Leave()
	<-ticket.Turn() // a place that was left wakes the line
	if !gate.Full(bound) {
		t.Error("it may be passed")
	}
	seen := false
	s.Each(func(provider string, inFlight, waiting int64) {
		seen = provider == "gpu" && inFlight == 0 && waiting == 1
	})
	if !seen {
		t.Error("not reported")
	}
	ticket.Leave(0)
	gate.Left()
	if gate.Full(bound) {
		t.Error("nobody waits")
	}
	s.Each(func(string, int64, int64) { t.Error("reported without calls or configuration") })
	s.Configure(map[string]Bound{"a": {}, "b": {}})
	s.Gate("left").Enter(bound) // by a call of a configuration before this one
	n := 0
	s.Each(func(string, int64, int64) { n++ })
	if n != 3 {
		t.Errorf("%d are reported, want two that are configured and one that is called", n)
	}
}
