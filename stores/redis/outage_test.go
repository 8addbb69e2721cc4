package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/breaker"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/stores/memory"
)

// away makes a server unreachable in each way, and brings it back.
var away = []struct {
	name       string
	down, back func(*redistest.Server)
}{
	{"killed", (*redistest.Server).Stop, (*redistest.Server).Restart},
	{"hanging", (*redistest.Server).Pause, (*redistest.Server).Resume},
}

// TestDeadline holds that a server that is away costs no request more than its
// deadline, that the breaker opens after five, and that it closes by itself.
func TestDeadline(t *testing.T) {
	for _, way := range away {
		t.Run(way.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server)
			s.deadline.Store(int64(DefaultDeadline))
			way.down(server)
			for i := range 2 * breaker.Threshold {
				begun := time.Now()
				_, err := s.Reserve(context.Background(), claim(t, "a", 1, "requests", "100", "1h"))
				// The margin is for a machine that is busy, not for the store:
				// without the deadline it would be ten seconds.
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("request %d waited %s", i, took)
				}
				if !errors.Is(err, limits.ErrUnavailable) {
					t.Errorf("request %d: %v", i, err)
				}
				// What is pending is tried meanwhile and fails too.
				if open := !s.breaker.Allow(); open && i == 0 || !open && i >= breaker.Threshold {
					t.Errorf("after %d failures the breaker is open: %t", i+1, open)
				}
			}
			way.back(server)
			eventually(t, "recovery", s.breaker.Allow)
			s.deadline.Store(int64(5 * time.Second))
			// What the requests may have taken, whose answers were lost, has been
			// given back.
			eventually(t, "the end of what is pending", func() bool { return s.Pending() == 0 })
			r := claim(t, "a", 1, "requests", "100", "1h")
			if !mustReserve(t, s, r) || r.Decisions[0].Used != 1 {
				t.Errorf("after the outage: %+v", r.Decisions)
			}
			_ = s.Settle(context.Background(), r, nil)
		})
	}
}

// TestSettleLater holds that a settlement during an outage arrives after it.
func TestSettleLater(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	r := claim(t, "a", 60, "tokens", "100", "1h")
	mustReserve(t, s, r)
	s.deadline.Store(int64(DefaultDeadline))
	server.Pause()
	if err := s.Settle(context.Background(), r, []int64{5}); !errors.Is(err, limits.ErrUnavailable) || r.Held {
		t.Errorf("%v, held %t", err, r.Held)
	}
	// Closed in the meantime, it still tells.
	_ = s.Close()
	server.Resume()
	other := open(t, server)
	eventually(t, "the settlement", func() bool {
		after := claim(t, "a", 0, "tokens", "100", "1h")
		return other.Peek(context.Background(), after) == nil && after.Decisions[0].Used == 5
	})
	eventually(t, "disconnecting", func() bool { return s.background.Err() != nil })
}

func failover(s *Store, instances int) *limits.Failover {
	return limits.NewFailover(s, memory.New(time.Now, 0), func() int { return instances })
}

// TestPolicies holds what each on_store_error says in each outage.
func TestPolicies(t *testing.T) {
	for _, way := range away {
		t.Run(way.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server)
			f := failover(s, 3)
			words := []string{"requests", "100", "1h"}
			// 40 are used before, so 60 are left for three instances.
			for range 40 {
				r := claim(t, "local", 1, words...)
				if !mustReserve(t, f, r) {
					t.Fatalf("%+v", r.Decisions)
				}
				if err := f.Settle(context.Background(), r, nil); err != nil {
					t.Fatal(err)
				}
			}
			s.deadline.Store(int64(DefaultDeadline))
			way.down(server)
			var admitted atomic.Int64
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() {
					r := claim(t, "local", 1, words...)
					ok, err := f.Reserve(context.Background(), r)
					if err != nil || !r.Decisions[0].Degraded {
						t.Errorf("%v %+v", err, r.Decisions)
					}
					if ok {
						admitted.Add(1)
						if err := f.Settle(context.Background(), r, nil); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			if n := admitted.Load(); n != 20 {
				t.Errorf("%d admitted by one of three instances, of 60 that are left", n)
			}
			r := claim(t, "deny", 1, append(words, "on_store_error", "deny")...)
			if ok, err := f.Reserve(context.Background(), r); ok || !errors.Is(err, limits.ErrUnavailable) || r.Refused != 0 {
				t.Errorf("deny: %t %v", ok, err)
			}
			r = claim(t, "allow", 1, "requests", "0", "1h", "on_store_error", "allow")
			if ok, err := f.Reserve(context.Background(), r); !ok || err != nil {
				t.Errorf("allow: %t %v", ok, err)
			}
			if err := f.Settle(context.Background(), r, []int64{1}); err != nil {
				t.Error(err)
			}
			way.back(server)
			eventually(t, "recovery", s.breaker.Allow)
			s.deadline.Store(int64(5 * time.Second))
			eventually(t, "the end of what is pending", func() bool { return s.Pending() == 0 })
			// The server is told what was admitted meanwhile, and one that has lost
			// its counters what they were.
			r = claim(t, "local", 1, words...)
			if ok := mustReserve(t, f, r); !ok || r.Decisions[0].Used != 40+20+1 || r.Decisions[0].Degraded {
				t.Errorf("after the outage: %t %+v", ok, r.Decisions)
			}
			_ = f.Settle(context.Background(), r, nil)
		})
	}
}

// TestFlush empties the server under two gateways, of which each knows what
// the other does not: budgets are not full again, whoever comes first, and
// looking at them tells the server nothing.
func TestFlush(t *testing.T) {
	server := redistest.Start(t)
	gateways := []*limits.Failover{failover(open(t, server), 2), failover(open(t, server), 2)}
	random := rand.New(rand.NewPCG(5, 5))
	for _, words := range [][]string{{"requests", "100", "1h"}, {"usd", "0.0000001", "1M"}} {
		key := limits.Key("key", "a", limitstest.Rule(t, words...))
		admitted := 0
		for i := range 150 {
			f := gateways[random.IntN(2)]
			if i%30 == 29 {
				server.Must("FLUSHALL")
				first := claim(t, "other", 1, words...)
				if !mustReserve(t, f, first) || f.Settle(context.Background(), first, []int64{0}) != nil {
					t.Fatalf("%+v", first.Decisions)
				}
				look := claim(t, key, 1, words...)
				if err := f.Peek(context.Background(), look); err != nil || look.Decisions[0].Used < int64(admitted/2) {
					t.Errorf("%v %+v after %d", err, look.Decisions, admitted)
				}
			}
			r := claim(t, key, 1, words...)
			if mustReserve(t, f, r) {
				admitted++
				if err := f.Settle(context.Background(), r, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if admitted != 100 {
			t.Errorf("%v: %d admitted of 100 through five flushes", words, admitted)
		}
	}
}

// TestPromotedBehind holds that a replica that is promoted and lacks what was counted
// last begins a generation of its own, though its clock is behind the old server's.
func TestPromotedBehind(t *testing.T) {
	server := redistest.Start(t)
	f := failover(open(t, server), 1)
	later := time.Now().Add(time.Hour).UnixMicro()
	_, history, _ := strings.Cut(server.Must("GET {weir}:generation"), " ")
	server.Must(fmt.Sprintf(`SET {weir}:generation "%d %s"`, later, history))
	words := []string{"tokens", "100", "1h"}
	r := claim(t, "a", 60, words...)
	if !mustReserve(t, f, r) || r.Decisions[0].Generation != later || f.Settle(context.Background(), r, nil) != nil {
		t.Fatalf("%+v", r.Decisions)
	}
	server.Must("DEL {weir}:a")
	server.Must(fmt.Sprintf(`SET {weir}:generation "%d another"`, later))
	r = claim(t, "a", 60, words...)
	if mustReserve(t, f, r) || r.Decisions[0].Used != 60 || r.Decisions[0].Generation <= later {
		t.Errorf("what was counted before is forgotten: %+v", r.Decisions)
	}
}

// TestSettlementsRemember holds that a settlement tells a server that has lost its
// counters what they were, also where that has lost the reservation too: another gateway,
// which knows nothing of them, finds no more room than there is.
func TestSettlementsRemember(t *testing.T) {
	words := []string{"tokens", "100", "1h"}
	for name, lose := range map[string]func(server *redistest.Server){
		"all": func(server *redistest.Server) { server.Must("FLUSHALL") },
		"what was counted last": func(server *redistest.Server) {
			server.Must("DEL {weir}:a")
			server.Must(`SET {weir}:generation "1 another"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			f, other := failover(open(t, server), 1), open(t, server)
			before, r := claim(t, "a", 30, words...), claim(t, "a", 60, words...)
			mustReserve(t, f, before)
			if f.Settle(context.Background(), before, nil) != nil || !mustReserve(t, f, r) {
				t.Fatalf("%+v", r.Decisions)
			}
			lose(server)
			if err := f.Settle(context.Background(), r, nil); err != nil || r.Decisions[0].Used != 90 {
				t.Errorf("%v %+v", err, r.Decisions)
			}
			if next := claim(t, "a", 20, words...); mustReserve(t, other, next) {
				t.Errorf("admitted with 90 of 100 used: %+v", next.Decisions)
			}
		})
	}
}

// TestLeasesInOutage holds that an instance counts the places that it holds
// when the server goes away.
func TestLeasesInOutage(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	f := failover(s, 2)
	words := []string{"concurrency", "10"}
	var held []*limits.Reservation
	for range 3 {
		r := claim(t, "c", 1, words...)
		if !mustReserve(t, f, r) {
			t.Fatalf("%+v", r.Decisions)
		}
		held = append(held, r)
	}
	server.Stop()
	more := 0
	for range 10 {
		r := claim(t, "c", 1, words...)
		ok, err := f.Reserve(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			more++
			held = append(held, r)
		}
	}
	if more != 2 {
		t.Errorf("%d more than the 3 that are held, where the share is 5", more)
	}
	for _, r := range held {
		if err := f.Renew(context.Background(), r); err != nil && !errors.Is(err, limits.ErrUnavailable) {
			t.Error(err)
		}
		_ = f.Settle(context.Background(), r, nil)
	}
	r := claim(t, "c", 1, words...)
	if ok, err := f.Reserve(context.Background(), r); !ok || err != nil || r.Decisions[0].Used != 2 {
		t.Errorf("%t %v %+v", ok, err, r.Decisions)
	}
	_ = f.Settle(context.Background(), r, nil)
	server.Restart()
	eventually(t, "recovery", func() bool { return s.breaker.Allow() && s.Pending() == 0 })
}
