package limits

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lent is a chunk of rule that has just been granted 100, a lease being 10 s.
func lent(t *testing.T, now time.Time, words ...string) *chunk {
	t.Helper()
	rule, err := Parse(words)
	if err != nil {
		t.Fatal(err)
	}
	c := &chunk{rule: &rule}
	head, reset := now.UnixMicro(), time.Minute
	if rule.Calendar == Sliding {
		head /= rule.Slot()
	} else {
		start, end := rule.Period(now)
		head, reset = start.UnixMicro(), end.Sub(now)
	}
	c.arrive(&Loan{
		Decision: Decision{Limit: 1000, Used: 100, Reset: reset, Generation: 1}, Held: 100, Head: head,
		Now: now.UnixMicro(), Time: 10_000_000,
	}, true, 0, 0, now)
	return c
}

// TestChunkRefund holds that what is refunded is room again unless its slot
// leaves the window, or the chunk's use ends, before the store has heard of it.
func TestChunkRefund(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name       string
		slot       int64
		after      time.Duration
		room, back int64
	}{
		{"new", 0, 0, 130, 0},
		{"ten slots old", -10, 0, 130, 0},
		// 32 slots of 1.875 s each, less the ten seconds of the lease.
		{"about to leave", -28, 0, 100, 30},
		{"gone", -40, 0, 100, 30},
		{"the use has ended", 0, 5 * time.Second, 100, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := lent(t, now, "tokens", "1000", "1m")
			ch.settle(ch.head+c.slot, 50, 20, 10_000_000, now.Add(c.after))
			want := []Delta{{ch.head + c.slot, -30, unused}}
			if ch.room != c.room || ch.back != c.back || !cmp.Equal(ch.deltas, want) {
				t.Errorf("room %d, back %d, %v", ch.room, ch.back, ch.deltas)
			}
		})
	}
}

// TestChunkPeriod holds that a chunk does not outlive its calendar period.
func TestChunkPeriod(t *testing.T) {
	now := time.Date(2026, 3, 31, 23, 59, 58, 0, time.UTC)
	c := lent(t, now, "usd", "1", "1M")
	if _, ok := c.take(1, now.Add(time.Second)); !ok {
		t.Error("refused within the month")
	}
	if _, ok := c.take(1, now.Add(2*time.Second)); ok {
		t.Error("April was given what was lent for March")
	}
	// A debt of March that is known in April is April's.
	c.settle(c.head, 1, 5, 10_000_000, now.Add(3*time.Second))
	if want := []Delta{{c.head, 1, unused}, {newest, 4, unused}}; !cmp.Equal(c.deltas, want) {
		t.Errorf("%v", c.deltas)
	}
}

// TestChunkUse notes when in its slot the room was used last.
func TestChunkUse(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	c := lent(t, now, "tokens", "1000", "1m")
	c.take(10, now.Add(100*time.Millisecond))
	slot, _ := c.take(5, now.Add(300*time.Millisecond))
	c.settle(slot, 5, 3, 10_000_000, now.Add(time.Second))
	last := c.at(now.Add(300*time.Millisecond)) - slot*c.rule.Slot()
	if want := []Delta{{slot, 13, last}}; !cmp.Equal(c.deltas, want) {
		t.Errorf("%v, want %v", c.deltas, want)
	}
	if d := c.decision(1000, now.Add(300*time.Millisecond)); d.Reset != time.Minute {
		t.Errorf("the window is empty in %s", d.Reset)
	}
}

// TestChunkReport holds that a report whose answer was lost is sent again as it
// was, and what came afterwards under another number.
func TestChunkReport(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	c := lent(t, now, "tokens", "1000", "1m")
	depart := func(seq int64) (Loan, int64, int64) {
		return c.depart(0, 10_000_000, seq, &DefaultTerms, 1, false, now)
	}
	c.take(10, now)
	first, _, _ := depart(7)
	c.take(5, now)
	again, own, expected := depart(8)
	want := []Delta{{c.head, 10, 1}}
	if again.Seq != 7 || again.Give != first.Give || !cmp.Equal(again.Deltas, want) || !cmp.Equal(c.deltas, []Delta{{c.head, 5, 1}}) {
		t.Errorf("first %+v, then %+v; left %v", first, again, c.deltas)
	}
	// The store holds what is here, and the 5 it has not heard of.
	if expected != c.room+5 {
		t.Errorf("expected %d, room %d", expected, c.room)
	}
	again.Held, again.Head, again.Now = expected, c.head, now.UnixMicro()
	room := c.room
	c.arrive(&again, true, own, expected, now)
	if c.room != room {
		t.Errorf("room %d, and %d before the answer", c.room, room)
	}
	if third, _, _ := depart(9); third.Seq != 9 || !cmp.Equal(third.Deltas, []Delta{{c.head, 5, 1}}) {
		t.Errorf("%+v", third)
	}
}
