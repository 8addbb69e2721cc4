package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/stores/memory"
)

// TestLeasedFailover holds what a server that has begun a new generation counts
// when everybody has come back: all that was used, what was used from chunks
// that were lent before included, and no more unless something was lost: then
// chunks may stay counted.
func TestLeasedFailover(t *testing.T) {
	for _, program := range redistest.All(t) {
		for _, c := range []struct {
			name string

			// copies says after which of the three rounds a replica has caught
			// up, 0 if it never has; a lossy one lacks what comes after.
			copies int

			// most is what may be counted; 600 are used.
			most int64
		}{
			{"nothing is lost", 3, 600},
			// What one has given back before the other comes is known by the other.
			{"all is lost", 0, 1000},
			// What the first round lent is in the replica, and known to be used.
			{"the last rounds are lost", 1, 1000},
		} {
			t.Run(program.Name+"/"+c.name, func(t *testing.T) {
				server := program.Start(t)
				longSince(server, "{weir}:")
				shared := open(t, server)
				terms := limits.Terms{Time: 10 * time.Second, Percent: 25}
				var all []*limits.Leased
				var gateways []*limits.Failover
				for range 2 {
					s := open(t, server)
					s.others.Store(2)
					s.beaten.Store(1 << 62)
					// Without rounds: the test reports itself.
					l := limits.NewLeased(s, terms, time.Now, func(time.Duration, func()) {})
					all = append(all, l)
					gateways = append(gateways, limits.NewFailover(l, memory.New(time.Now, 0), l.Instances))
				}
				words := []string{"tokens", "10k", "1h"}
				ask := func(f *limits.Failover, amount, actual int64) {
					t.Helper()
					r := claim(t, "a", amount, words...)
					if ok, err := f.Reserve(context.Background(), r); !ok || err != nil {
						t.Fatalf("%+v: %v", r.Decisions, err)
					}
					if err := f.Settle(context.Background(), r, []int64{actual}); err != nil {
						t.Fatal(err)
					}
				}
				replica := &replica{server: server, prefix: "{weir}:"}
				for i := range 3 {
					for _, f := range gateways {
						ask(f, 100, 100)
					}
					if i+1 == c.copies {
						replica.Copy()
					}
				}
				if n := used(t, shared, "a", words...); n <= 600 {
					t.Fatalf("nothing is lent: %d", n)
				}
				replica.Promote()
				for _, l := range all {
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if n := used(t, open(t, server), "a", words...); n < 600 || n > c.most {
					t.Errorf("%d is counted, of 600 that were used; %d at most", n, c.most)
				}
			})
		}
	}
}

// TestLendWaits holds that nothing is lent before the server has been told what
// was decided without it.
func TestLendWaits(t *testing.T) {
	s := open(t, redistest.Start(t))
	l := limits.NewLeased(s, limits.DefaultTerms, time.Now, func(time.Duration, func()) {})
	r := claim(t, "a", 1, "requests", "10", "1h")
	s.untold.Add(1)
	if ok, err := l.Reserve(context.Background(), r); ok || !errors.Is(err, limits.ErrUnavailable) {
		t.Errorf("admitted %t: %v", ok, err)
	}
	s.untold.Add(-1)
	if !mustReserve(t, l, r) {
		t.Errorf("%+v", r.Decisions)
	}
	_ = l.Settle(context.Background(), r, nil)
	_ = l.Close()
}

// TestNothingAhead holds that a server lends nothing ahead before those who
// knew it in an earlier generation have had the time to tell.
func TestNothingAhead(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	rule := claim(t, "a", 1, "tokens", "10k", "1h").Claims[0]
	for i, want := range []int64{1, 101} {
		loan := []limits.Loan{{Claim: rule, Seq: 1, Question: 1, Ahead: 100, Time: 10_000_000, Holding: -1}}
		loan[0].Key = []string{"new", "old"}[i]
		if ok, err := s.Lend(context.Background(), 25, loan); !ok || err != nil || loan[0].Held != want {
			t.Errorf("%s: %d are lent, want %d: %v", loan[0].Key, loan[0].Held, want, err)
		}
		longSince(server, "{weir}:")
	}
}
