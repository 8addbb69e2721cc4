package handlers

import (
	"testing"
	"time"
)

type rung chan struct{}

func (r rung) ring() { r <- struct{}{} }

func TestAlarm(t *testing.T) {
	r := make(rung, 1)
	a := newAlarm(0, r)
	<-r
	a.reset(0) // by who was woken
	<-r
	a.stop()

	// One that was stopped in time serves the next, and only that.
	first, next := make(rung, 1), make(rung, 1)
	a = newAlarm(time.Hour, first)
	a.stop()
	b := newAlarm(time.Hour, next)
	defer b.stop()
	a.reset(0)
	if a == b { // the pool may forget
		<-next
	}
	select {
	case <-first:
		t.Error("who has stopped an alarm was woken")
	default:
	}
}

// TestAlarmRings holds that one which rings while it is stopped wakes nobody any more,
// and is not for another: who it has woken may still reset it.
func TestAlarmRings(t *testing.T) {
	for range 20 {
		r := make(rung, 1)
		a := newAlarm(0, r)
		<-r
		a.stop()
		b := newAlarm(time.Hour, r)
		if a == b {
			t.Fatal("another has an alarm that rings")
		}
		a.wake()
		b.stop()
		if len(r) > 0 {
			t.Fatal("who has stopped it was woken")
		}
	}
}

// TestAlarmAllocations holds what they are for.
func TestAlarmAllocations(t *testing.T) {
	r := make(rung)
	if n := testing.AllocsPerRun(100, func() { newAlarm(time.Hour, r).stop() }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
