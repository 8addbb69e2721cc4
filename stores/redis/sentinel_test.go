package redis

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestSentinel kills a primary whose replica lacks what was counted last, and
// lets Sentinels promote it (A13, F05): what two gateways admit before, without
// a primary and afterwards is within each limit, and nothing is restarted.
func TestSentinel(t *testing.T) {
	for _, program := range redistest.All(t) {
		for _, mode := range []string{modeStrict, modeLeased} {
			t.Run(program.Name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				staleFailover(t, program, mode)
			})
		}
	}
}

// spender admits against one limit until it refuses.
type spender struct {
	words  []string
	amount int64
	spent  int64
}

// limit is what every spender of this test may spend, in calls.
const limit = 100

func (s *spender) try(t *testing.T, f *limits.Failover) (ok, degraded bool) {
	t.Helper()
	r := claim(t, strings.Join(s.words, ":"), 2*s.amount, s.words...)
	if s.words[0] == "requests" {
		r.Claims[0].Amount = 1
	}
	ok, err := f.Reserve(context.Background(), r)
	if err != nil && !errors.Is(err, limits.ErrUnavailable) {
		t.Fatal(err)
	}
	degraded = r.Decisions[0].Degraded
	if ok {
		s.spent += s.amount
		// Half of what was reserved is given back.
		_ = f.Settle(context.Background(), r, []int64{s.amount})
	}
	return ok, degraded
}

func staleFailover(t *testing.T, program redistest.Program, mode string) {
	primary := program.Start(t)
	longSince(primary, "{weir}:")
	replica := program.StartReplica(t, primary)
	url := program.StartSentinels(t, primary, 3, 1)
	var stores []*Store
	var gateways []*limits.Failover
	var lending []*limits.Leased
	for range 2 {
		s := open(t, primary, func(o *Options) { o.URL = url })
		stores = append(stores, s)
		if mode == modeStrict {
			gateways = append(gateways, failover(s, 2))
			continue
		}
		l, f := lendingFailover(s, 2)
		lending, gateways = append(lending, l), append(gateways, f)
	}
	all := []*spender{
		{words: []string{"requests", "100", "1h"}, amount: 1},
		{words: []string{"tokens", "2000", "1h"}, amount: 20},
		{words: []string{"usd", "0.0002", "1M"}, amount: 2000},
		{words: []string{"requests", "100", "2h", "on_store_error", "deny"}, amount: 1},
	}
	round := func(times int) {
		for i := range times {
			for _, s := range all {
				if ok, degraded := s.try(t, gateways[i%2]); !ok || degraded {
					t.Fatalf("%v: admitted %t, degraded %t after %d", s.words, ok, degraded, s.spent)
				}
			}
		}
	}
	round(40)
	primary.Synced(1)
	primary.Detach()
	round(30)
	if stale := replica.Must("GET {weir}:generation"); stale == "" {
		t.Error("the replica has nothing: it would be empty, not stale")
	}

	primary.Stop()
	for _, s := range all {
		eventually(t, "the outage", func() bool {
			ok, degraded := s.try(t, gateways[0])
			if deny := len(s.words) > 3; degraded && ok == deny {
				t.Errorf("%v without a primary: admitted %t", s.words, ok)
			}
			return degraded
		})
	}
	for _, s := range stores {
		eventually(t, "the promoted replica", func() bool { return s.breaker.Allow() && s.Pending() == 0 })
	}
	if role := replica.Must("INFO replication"); !strings.Contains(role, "role:master") {
		t.Errorf("nobody was promoted:\n%s", role)
	}
	for _, s := range all {
		refused := 0
		for i := 0; refused < 4 && i < 3*limit; i++ {
			ok, degraded := s.try(t, gateways[i%2])
			if degraded {
				t.Fatalf("%v: decided without the store after recovery", s.words)
			}
			if refused++; ok {
				refused = 0
			}
		}
		// What chunks held may stay counted.
		least := limit * s.amount * 9 / 10
		if mode == modeLeased {
			least = limit * s.amount * 8 / 10
		}
		if most := limit * s.amount; s.spent > most || s.spent < least {
			t.Errorf("%v: %d spent through a failover, of %d", s.words, s.spent, most)
		}
	}
	for _, l := range lending {
		_ = l.Close()
	}
	for _, s := range stores {
		// Sentinels do not go with the primary.
		_ = s.Close()
		eventually(t, "disconnecting", func() bool { return s.background.Err() != nil })
	}
}
