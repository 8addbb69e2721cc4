package memory

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
)

func TestRace(t *testing.T) { limitstest.Race(t, New(time.Now, 0)) }

func TestForced(t *testing.T) { limitstest.Forced(t, New(time.Now, 0)) }

// reserve asks for amount under rule and fails on errors.
func reserve(t *testing.T, s *Store, key string, rule *limits.Rule, amount int64) (*limits.Reservation, bool) {
	t.Helper()
	r := &limits.Reservation{}
	r.Reset()
	r.Claim(key, rule, amount)
	ok, err := s.Reserve(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return r, ok
}

// TestEdge holds that a burst cannot double at the edge of a window (B04).
func TestEdge(t *testing.T) {
	clock := limitstest.NewClock()
	s := New(clock.Now, 0)
	rule := mustParse(t, "requests", "100", "1m")
	var admitted []time.Time
	// Ten minutes of bursts of 100, three times a minute and at odd times.
	for range 31 {
		for range 100 {
			if _, ok := reserve(t, s, "a", rule, 1); ok {
				admitted = append(admitted, clock.Now())
			}
		}
		clock.Advance(19_999_999 * time.Microsecond)
	}
	for i := range admitted {
		in := 0
		for _, other := range admitted[i:] {
			if other.Sub(admitted[i]) < time.Minute {
				in++
			}
		}
		if in > 100 {
			t.Fatalf("%d in the minute after %s", in, admitted[i])
		}
	}
	if len(admitted) < 800 {
		t.Errorf("only %d admitted in ten minutes", len(admitted))
	}
}

// TestNewTogether holds that a decision which brings several new counters
// does not let one of them be forgotten for the next.
func TestNewTogether(t *testing.T) {
	s := New(time.Now, 0)
	rule := mustParse(t, "requests", "1", "1h")
	for round := range 2 {
		for batch := range 200 {
			r := &limits.Reservation{}
			r.Reset()
			for i := range limits.MaxClaims {
				r.Claim(fmt.Sprintf("%d/%d", batch, i), rule, 1)
			}
			ok, err := s.Reserve(context.Background(), r)
			if err != nil || ok != (round == 0) {
				t.Fatalf("round %d: admitted %t, %v", round, ok, err)
			}
			for i, d := range r.Decisions {
				if d.Used != 1 {
					t.Fatalf("round %d: counter %d has %d", round, i, d.Used)
				}
			}
		}
	}
}

// TestBounded holds that the number of counters is bounded, that idle ones
// make room, and that one in use is never forgotten.
func TestBounded(t *testing.T) {
	clock := limitstest.NewClock()
	s := New(clock.Now, 2*shards)
	rule, hold := mustParse(t, "requests", "1", "1m"), mustParse(t, "requests", "1", "1h")
	reserve(t, s, "held", hold, 1)
	full := 0
	for minute := range 5 {
		for i := range 4 * shards {
			r := &limits.Reservation{}
			r.Reset()
			r.Claim(fmt.Sprintf("%d/%d", minute, i), rule, 1)
			if _, err := s.Reserve(context.Background(), r); errors.Is(err, limits.ErrFull) {
				full++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Counters(); n > 2*shards {
			t.Fatalf("%d counters", n)
		}
		clock.Advance(2 * time.Minute)
	}
	if full == 0 {
		t.Error("a full store has refused nothing")
	}
	if _, ok := reserve(t, s, "held", hold, 1); ok {
		t.Error("a counter in use was forgotten")
	}
	for i := range 100 {
		// Two minutes on, all of them are idle.
		if r, ok := reserve(t, s, fmt.Sprintf("new/%d", i), rule, 1); !ok {
			t.Fatalf("%+v", r.Decisions)
		} else if err := s.Settle(context.Background(), r, []int64{0}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReload holds that another amount goes on counting, and another window
// under the same key starts anew instead of misreading its slots.
func TestReload(t *testing.T) {
	clock := limitstest.NewClock()
	s := New(clock.Now, 0)
	reserve(t, s, "a", mustParse(t, "tokens", "100", "1m"), 80)
	if _, ok := reserve(t, s, "a", mustParse(t, "tokens", "90", "1m"), 20); ok {
		t.Error("a lower limit has forgotten what was used")
	}
	if _, ok := reserve(t, s, "a", mustParse(t, "tokens", "200", "1m"), 100); !ok {
		t.Error("a higher limit has no room")
	}
	if r, ok := reserve(t, s, "a", mustParse(t, "tokens", "200", "1h"), 200); !ok {
		t.Errorf("%+v", r.Decisions)
	}
}

// TestClockBackwards holds that a wall clock set back opens no window.
func TestClockBackwards(t *testing.T) {
	clock := limitstest.NewClock()
	s := New(clock.Now, 0)
	month, minute := mustParse(t, "usd", "1", "1M"), mustParse(t, "requests", "1", "1m")
	reserve(t, s, "m", month, limits.Dollar)
	reserve(t, s, "s", minute, 1)
	clock.Advance(-100 * 24 * time.Hour)
	if _, ok := reserve(t, s, "m", month, 1); ok {
		t.Error("a month that was over is open again")
	}
	if _, ok := reserve(t, s, "s", minute, 1); ok {
		t.Error("a window is open again")
	}
}

// TestLeases holds that places come back when nobody renews them (B14), and
// are kept as long as somebody does.
func TestLeases(t *testing.T) {
	clock := limitstest.NewClock()
	s := New(clock.Now, 0)
	rule := mustParse(t, "concurrency", "2")
	kept, _ := reserve(t, s, "a", rule, 1)
	lost, _ := reserve(t, s, "a", rule, 1)
	clock.Advance(20 * time.Second)
	if err := s.Renew(context.Background(), kept); err != nil {
		t.Fatal(err)
	}
	if _, ok := reserve(t, s, "a", rule, 1); ok {
		t.Error("a third place")
	}
	clock.Advance(10*time.Second - time.Microsecond)
	if _, ok := reserve(t, s, "a", rule, 1); ok {
		t.Error("a place was free before its time")
	}
	clock.Advance(time.Microsecond)
	if _, ok := reserve(t, s, "a", rule, 1); !ok {
		t.Error("the place of a crash is not free after 30s")
	}
	if err := s.Renew(context.Background(), lost); !errors.Is(err, limits.ErrLeaseLost) {
		t.Errorf("renewing a lost lease: %v", err)
	}
	if err := s.Settle(context.Background(), lost, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := reserve(t, s, "a", rule, 1); ok {
		t.Error("settling a lost lease has freed another's place")
	}
}

// TestNoAllocation holds that deciding over four scopes allocates nothing.
func TestNoAllocation(t *testing.T) {
	s := New(time.Now, 0)
	var r limits.Reservation
	fourScopes(t, &r, "x")
	ctx, actual := context.Background(), []int64{1, 1, 1, 1}
	n := testing.AllocsPerRun(1000, func() {
		ok, err := s.Reserve(ctx, &r)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := s.Settle(ctx, &r, actual); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMisuse(t *testing.T) {
	s := New(time.Now, 0)
	rule := mustParse(t, "requests", "9", "1m")
	r, _ := reserve(t, s, "a", rule, 1)
	if _, err := s.Reserve(context.Background(), r); err == nil {
		t.Error("reserved twice")
	}
	r.Reset()
	r.Claim("b", rule, 1)
	r.Claim("b", rule, 1)
	if _, err := s.Reserve(context.Background(), r); err == nil {
		t.Error("two claims on one counter")
	}
	r.Reset()
	for i := range limits.MaxClaims + 1 {
		r.Claim(fmt.Sprint(i), rule, 1)
	}
	if _, err := s.Reserve(context.Background(), r); err == nil {
		t.Error("too many claims")
	}
	if err := s.Settle(context.Background(), r, nil); err != nil {
		t.Errorf("settling what is not held: %v", err)
	}
}
