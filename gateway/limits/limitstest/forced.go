package limitstest

import (
	"context"
	"testing"

	"github.com/weirproxy/weir/gateway/limits"
)

// Forced holds that a forced reservation is counted where there is no room, and
// settled like any other, with nothing lost or counted twice.
func Forced(t *testing.T, store limits.Store) {
	t.Helper()
	rules := []*limits.Rule{
		Rule(t, "tokens", "100", "1h"), Rule(t, "usd", "0.0000001", "1M"), Rule(t, "requests", "100", "500ms"), Rule(t, "concurrency", "1"),
	}
	ask := func(amount int64, force bool) (*limits.Reservation, bool) {
		t.Helper()
		r := &limits.Reservation{}
		r.Reset()
		r.Force = force
		for _, rule := range rules {
			if r.Claim(limits.Key("forced", "a", rule), rule, amount); rule.Unit == limits.Concurrency {
				r.Claims[len(r.Claims)-1].Amount = 1
			}
		}
		ok, err := store.Reserve(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		return r, ok
	}
	settle := func(r *limits.Reservation, amount, want int64) {
		t.Helper()
		if err := store.Settle(context.Background(), r, []int64{amount, amount, amount, 0}); err != nil {
			t.Fatal(err)
		}
		for i := range rules[:2] {
			if used := r.Decisions[i].Used; used != want {
				t.Errorf("%s: %d are used after a settlement, want %d", rules[i], used, want)
			}
		}
	}
	first, ok := ask(90, false)
	if !ok {
		t.Fatal("refused with room")
	}
	if _, ok := ask(30, false); ok {
		t.Error("admitted without room")
	}
	second, ok := ask(30, true)
	if !ok || second.Refused >= 0 {
		t.Errorf("a forced reservation was refused: %+v", second.Decisions)
	}
	settle(first, 80, 80+30)
	settle(second, 70, 80+70)
	if _, ok := ask(1, false); ok {
		t.Error("admitted over what was forced")
	}
}
