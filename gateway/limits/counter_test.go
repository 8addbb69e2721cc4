package limits

import (
	"testing"
	"time"
)

// at is a moment, n slots of rule after a fixed one.
func at(rule *Rule, n int64) Instant {
	wall := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	micros := wall.UnixMicro()/rule.Slot()*rule.Slot() + n*rule.Slot()
	return Instant{Micros: micros, Wall: time.UnixMicro(micros)}
}

// TestSettle says where refunds and debts go, and for how long they count.
func TestSettle(t *testing.T) {
	rule := &Rule{Unit: Tokens, Amount: 1000, Window: 32 * time.Second}
	for _, c := range []struct {
		name             string
		reserved, actual int64

		// after is how many slots later it settles; used is what counts then,
		// and later in the slot before the window's end, at its end, in the last slot
		// of the window that the settlement begins, and one window after it.
		after, used                int64
		before, leaving, last, end int64
	}{
		{"as reserved", 100, 100, 5, 100, 100, 0, 0, 0},
		{"refund", 100, 30, 5, 30, 30, 0, 0, 0},
		{"all of it", 100, 0, 5, 0, 0, 0, 0, 0},
		{"debt", 100, 180, 5, 180, 180, 0, 0, 0},
		{"refund at the end", 100, 30, 31, 30, 30, 0, 0, 0},
		{"debt at the end", 100, 180, 31, 180, 180, 0, 0, 0},
		{"refund of what is gone", 100, 30, 32, 0, 0, 0, 0, 0},
		{"debt of what is gone", 100, 180, 32, 80, 80, 80, 80, 0},
		{"debt of what is long gone", 100, 180, 33, 80, 80, 80, 80, 0},
		{"a negative amount", 100, -50, 5, 0, 0, 0, 0, 0},
		{"a huge amount", 100, 1<<63 - 1, 5, MaxAmount, MaxAmount, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var counter Counter
			counter.Advance(rule, at(rule, 0))
			slot := counter.Add(c.reserved)
			counter.Advance(rule, at(rule, c.after))
			counter.Settle(slot, c.reserved, c.actual)
			want := func(n, used int64) {
				t.Helper()
				if n < c.after {
					n = c.after
				}
				counter.Advance(rule, at(rule, n))
				if counter.Used() != used {
					t.Errorf("after %d slots %d, want %d", n, counter.Used(), used)
				}
			}
			want(c.after, c.used)
			want(31, c.before)
			want(32, c.leaving)
			want(c.after+parts-1, c.last)
			want(c.after+parts, c.end)
			if !counter.Idle(at(rule, c.after+Slots)) {
				t.Error("not idle")
			}
		})
	}
}

// TestWindowIsExact holds that what was reserved at one moment comes back when the
// window has passed, wherever in a slot that was, and that nobody is told to wait
// for longer than the window.
func TestWindowIsExact(t *testing.T) {
	for _, window := range []time.Duration{time.Second, 10 * time.Second, time.Minute, time.Hour, 30 * 24 * time.Hour} {
		rule := &Rule{Unit: Requests, Amount: 5, Window: window}
		for _, offset := range []int64{0, 1, rule.Slot() / 2, rule.Slot() - 1} {
			after := func(d time.Duration) Instant {
				i := at(rule, 7)
				i.Micros += offset + d.Microseconds()
				return i
			}
			var counter Counter
			counter.Advance(rule, after(0))
			slot := counter.Add(5)
			for _, tt := range []struct {
				passed     time.Duration
				used, wait time.Duration
			}{{0, 5, window}, {window / 4, 5, window - window/4}, {window - time.Microsecond, 5, time.Microsecond}, {window, 0, 0}} {
				now := after(tt.passed)
				counter.Advance(rule, now)
				if used := counter.Used(); used != int64(tt.used) {
					t.Errorf("%s, %d µs into a slot: %d used after %s", window, offset, used, tt.passed)
				}
				if reset := counter.Reset(rule, now); reset != tt.wait {
					t.Errorf("%s, %d µs into a slot: reset in %s after %s", window, offset, reset, tt.passed)
				}
				if wait := counter.Wait(rule, now, 1, 5); tt.used > 0 && wait != tt.wait {
					t.Errorf("%s, %d µs into a slot: room in %s after %s", window, offset, wait, tt.passed)
				}
			}
			counter.Settle(slot, 5, 8)
			if reset := counter.Reset(rule, after(window)); counter.Used() != 3 || reset > window {
				t.Errorf("%s, %d µs into a slot: a late debt of 3 counts as %d for %s", window, offset, counter.Used(), reset)
			}
		}
	}
}

// TestSettlePeriod is the same for a calendar window.
func TestSettlePeriod(t *testing.T) {
	rule := &Rule{Unit: USD, Amount: 1000, Calendar: Month}
	now := Instant{Wall: time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)}
	next := Instant{Wall: now.Wall.Add(time.Second)}
	for _, c := range []struct {
		actual     int64
		same, next int64
	}{{30, 30, 0}, {100, 100, 0}, {180, 180, 80}} {
		var counter Counter
		counter.Advance(rule, now)
		slot := counter.Add(100)
		late := counter
		counter.Settle(slot, 100, c.actual)
		if counter.Used() != c.same {
			t.Errorf("%d settled in its month: %d, want %d", c.actual, counter.Used(), c.same)
		}
		late.Advance(rule, next)
		late.Settle(slot, 100, c.actual)
		if late.Used() != c.next {
			t.Errorf("%d settled a month later: %d, want %d", c.actual, late.Used(), c.next)
		}
	}
}

// TestLevel takes what is too much from the newest slots.
func TestLevel(t *testing.T) {
	rule := &Rule{Unit: Tokens, Amount: 1000, Window: 32 * time.Second}
	var counter Counter
	for slot := range int64(4) {
		counter.Advance(rule, at(rule, slot))
		counter.Add(100)
	}
	counter.Level(150)
	if counter.Used() != 150 {
		t.Errorf("%d", counter.Used())
	}
	counter.Advance(rule, at(rule, 32))
	if counter.Used() != 50 {
		t.Errorf("%d when the oldest slot has left", counter.Used())
	}
	counter.Level(MaxAmount)
	counter.Add(MaxAmount)
	if counter.Used() != MaxAmount {
		t.Errorf("%d is not saturated", counter.Used())
	}
	counter.Level(7)
	if counter.Used() != 7 {
		t.Errorf("%d", counter.Used())
	}
}

// TestRestoreInTime holds that what a ledger knows leaves a sliding window when it
// would have, and that what is there already is not counted twice.
func TestRestoreInTime(t *testing.T) {
	const day = 24 * time.Hour
	rule := &Rule{Unit: USD, Amount: 1000, Window: 30 * day}
	begin := at(rule, 40)
	after := func(d time.Duration) Instant {
		return Instant{Micros: begin.Micros + d.Microseconds(), Wall: begin.Wall.Add(d)}
	}
	history := &History{Rule: rule, Uses: []Use{{day, 300}, {29 * day, 200}, {29*day + time.Hour, 100}, {31 * day, 500}, {-time.Hour, 7}}}
	moments := [...]time.Duration{0, day - time.Microsecond, day, 29*day - time.Microsecond, 29 * day, 30 * day}
	for there, want := range map[int64][len(moments)]int64{
		0:    {607, 607, 307, 307, 7, 0},
		250:  {607, 607, 550, 550, 250, 0},
		1000: {1000, 1000, 1000, 1000, 1000, 0},
	} {
		var counter Counter
		counter.Advance(rule, after(0))
		counter.Add(there)
		counter.Restore(history)
		for i, passed := range moments {
			counter.Advance(rule, after(passed))
			if got := counter.Used(); got != want[i] {
				t.Errorf("%d were there: %d after %s, want %d", there, got, passed, want[i])
			}
		}
	}
}

// TestRestorePeriod holds that a calendar window is raised to what a ledger knows, once,
// and never lowered.
func TestRestorePeriod(t *testing.T) {
	rule := &Rule{Unit: USD, Amount: 1000, Calendar: Month}
	now := Instant{Wall: time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)}
	history := &History{Rule: rule, Uses: []Use{{0, 60}, {time.Hour, 50}, {0, -7}}}
	for there, want := range map[int64]int64{0: 110, 40: 110, 110: 110, 300: 300} {
		var counter Counter
		counter.Advance(rule, now)
		counter.Add(there)
		for range 2 {
			counter.Restore(history)
			if counter.Used() != want {
				t.Errorf("%d were there: %d, want %d", there, counter.Used(), want)
			}
		}
	}
}

// TestRestoreBesideHeld holds that a ledger that is asked while requests are under way
// adds what it knows to what they hold, so that their refunds take nothing of it.
func TestRestoreBesideHeld(t *testing.T) {
	now := Instant{Micros: at(&Rule{Window: 30 * 24 * time.Hour}, 40).Micros, Wall: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}
	for _, rule := range []*Rule{{Unit: USD, Calendar: Month}, {Unit: USD, Window: 30 * 24 * time.Hour}} {
		var counter Counter
		counter.Advance(rule, now)
		want := func(what string, used int64) {
			t.Helper()
			if got := counter.Used(); got != used {
				t.Errorf("%s %s: %d, want %d", rule.ID(), what, got, used)
			}
		}
		first, second, third := counter.Hold(50), counter.Hold(200), counter.Hold(90)
		counter.Amend(third, 90, 40)
		counter.Settle(counter.Hold(30), 30, 7) // the ledger has it
		history := &History{Rule: rule, Uses: []Use{{0, 7}, {time.Hour, 60}, {24 * time.Hour, 33}}}
		for range 2 {
			counter.Restore(history)
			want("restored", 390)
		}
		counter.Amend(second, 200, 120)
		counter.Restore(history)
		want("restored when amended", 310)
		counter.Settle(third, 40, 0)
		counter.Settle(first, 50, 1)
		counter.Settle(second, 120, 2)
		want("settled", 103)
		history.Uses[0].Amount += 3
		counter.Restore(history)
		want("restored at last", 103)
	}
}

// TestRestoreHeldInTime holds that what is held of late takes no part of what the ledger
// has from before it.
func TestRestoreHeldInTime(t *testing.T) {
	const day = 24 * time.Hour
	rule := &Rule{Unit: USD, Window: 30 * day}
	begin := at(rule, 40)
	var counter Counter
	for _, step := range []struct {
		passed time.Duration
		amount int64
	}{{0, 33}, {10 * day, 50}} {
		counter.Advance(rule, Instant{Micros: begin.Micros + step.passed.Microseconds()})
		counter.Hold(step.amount)
		if step.passed == 0 {
			counter.Settle(counter.head, 33, 33)
		}
	}
	counter.Restore(&History{Rule: rule, Uses: []Use{{0, 10}, {10 * day, 33}, {15 * day, 40}}})
	for passed, want := range [...]int64{15: 133, 26: 93, 31: 60, 41: 0} {
		if counter.Advance(rule, Instant{Micros: begin.Micros + (time.Duration(passed) * day).Microseconds()}); want != 0 && counter.Used() != want {
			t.Errorf("%d after %d days, want %d", counter.Used(), passed, want)
		}
	}
}

// TestRestoreNextPeriod holds that what was held when a period ended is nothing of the
// next one.
func TestRestoreNextPeriod(t *testing.T) {
	rule := &Rule{Unit: USD, Calendar: Month}
	var counter Counter
	counter.Advance(rule, Instant{Wall: time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)})
	slot := counter.Hold(50)
	counter.Advance(rule, Instant{Wall: time.Date(2026, 4, 1, 0, 0, 1, 0, time.UTC)})
	counter.Hold(20)
	counter.Amend(slot, 50, 40)
	counter.Settle(slot, 40, 30)
	counter.Restore(&History{Rule: rule, Uses: []Use{{0, 9}}})
	if counter.Used() != 29 {
		t.Errorf("%d, want 29", counter.Used())
	}
}
