package handlers

import (
	"sync"
	"time"
)

// alarm is a timer that most calls stop before it rings; the next call gets it then.
type alarm struct {
	timer *time.Timer

	mu     sync.Mutex
	ringer ringer // nil: nobody
}

// ringer is what an alarm wakes, on a goroutine of its own. It may be woken once more
// after it has stopped its alarm, and by the alarm of another: it has to look at the time,
// or to do no harm when it comes early.
type ringer interface{ ring() }

// alarms holds *alarm whose timers are stopped.
var alarms = sync.Pool{New: func() any { return new(alarm) }}

// newAlarm returns one that rings after d, and again whenever it was reset.
func newAlarm(d time.Duration, r ringer) *alarm {
	a := alarms.Get().(*alarm)
	a.mu.Lock()
	a.ringer = r
	a.mu.Unlock()
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.wake)
	} else {
		a.timer.Reset(d)
	}
	return a
}

func (a *alarm) wake() {
	a.mu.Lock()
	r := a.ringer
	a.mu.Unlock()
	if r != nil {
		r.ring()
	}
}

// reset has it ring after d.
func (a *alarm) reset(d time.Duration) { a.timer.Reset(d) }

// stop is the end of its use. One that rings at the moment goes to nobody: who has
// been woken may still reset it.
func (a *alarm) stop() {
	stopped := a.timer.Stop()
	a.mu.Lock()
	a.ringer = nil
	a.mu.Unlock()
	if stopped {
		alarms.Put(a)
	}
}
