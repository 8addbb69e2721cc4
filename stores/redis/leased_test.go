package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/stores/memory"
)

// counting counts round trips, and loses answers.
type counting struct {
	*Store
	trips atomic.Int64
	lost  func() bool
}

func (c *counting) Lend(ctx context.Context, percent int64, loans []limits.Loan) (bool, error) {
	c.trips.Add(1)
	ok, err := c.Store.Lend(ctx, percent, loans)
	if err == nil && c.lost != nil && c.lost() {
		return false, fmt.Errorf("losing an answer: %w", limits.ErrUnavailable)
	}
	return ok, err
}

func (c *counting) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	c.trips.Add(1)
	return c.Store.Reserve(ctx, r)
}

func (c *counting) Settle(ctx context.Context, r *limits.Reservation, actual []int64) error {
	c.trips.Add(1)
	return c.Store.Settle(ctx, r, actual)
}

// longSince makes the counters' generation an old one: nothing is lent ahead in
// a new one's first lease.
func longSince(server *redistest.Server, prefix string) {
	server.Must(`EVAL "return redis.call('SET', ARGV[1] .. 'generation', ` +
		`'1 ' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)'))" 0 ` + prefix)
}

// replica copies keys beside themselves.
type replica struct {
	server *redistest.Server
	prefix string
	times  int
}

func (r *replica) Copy() {
	r.server.Must(`EVAL "for _, k in ipairs(redis.call('KEYS', 'copy' .. ARGV[1] .. '*')) do redis.call('DEL', k) end ` +
		`for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('COPY', k, 'copy' .. k) end return 1" 0 ` + r.prefix)
}

func (r *replica) Promote() {
	r.times++
	r.server.Must(`EVAL "for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', k) end ` +
		`for _, k in ipairs(redis.call('KEYS', 'copy' .. ARGV[1] .. '*')) do redis.call('COPY', k, string.sub(k, 5)) end ` +
		`local g = redis.call('GET', ARGV[1] .. 'generation') ` +
		`if g then redis.call('SET', ARGV[1] .. 'generation', string.match(g, '%d+') .. ' another' .. ARGV[2]) end return 1" 0 ` +
		r.prefix + " " + fmt.Sprint(r.times))
}

// TestLeasedTraces holds the bound of limits.Leased on random traces over a
// simulated fleet, whose clocks are wrong, and whose answers are lost.
func TestLeasedTraces(t *testing.T) {
	server := redistest.Start(t)
	seeds := uint64(60)
	if testing.Short() {
		seeds = 6
	}
	terms := limits.Terms{Time: 8 * time.Second, Percent: 30}
	admitted := 0
	for seed := range seeds {
		name := fmt.Sprintf("%d, %s", seed, []string{"without faults", "with crashes and stops", "with failovers"}[seed%3])
		t.Run(name, func(t *testing.T) {
			clock := limitstest.NewClock()
			prefix := func(o *Options) { o.Prefix = fmt.Sprintf("fleet%d", seed) }
			longSince(server, fmt.Sprintf("{fleet%d}:", seed))
			shared := open(t, server, prefix)
			shared.fixed = clock.Micros
			fleet := limitstest.Fleet{Store: shared, Instances: 3, Terms: terms, Faults: seed%3 == 1}
			if seed%3 == 2 {
				fleet.Replica = &replica{server: server, prefix: fmt.Sprintf("{fleet%d}:", seed)}
				fleet.Local = func(now func() time.Time) limits.LocalStore { return memory.New(now, 0) }
			}
			fleet.Start = func(local limits.LocalStore, now func() time.Time, spawn func(time.Duration, func()), lost func() bool) *limits.Leased {
				s := open(t, server, prefix)
				s.fixed = clock.Micros
				s.others.Store(3)
				s.beaten.Store(1 << 62)
				l := limits.NewLeased(&counting{Store: s, lost: lost}, terms, now, spawn)
				if local != nil {
					limits.NewFailover(l, local, l.Instances)
				}
				return l
			}
			admitted += fleet.Trace(t, seed, 500, clock)
		})
	}
	if admitted < int(seeds)*50 {
		t.Errorf("only %d admitted: the traces test nothing", admitted)
	}
}

// TestLentWindow holds that what was used of a loan leaves a sliding window when it
// was used, not with the whole slot that it is reported in.
func TestLentWindow(t *testing.T) {
	s, clock := open(t, redistest.Start(t)), limitstest.NewClock()
	s.fixed = clock.Micros
	rule := limitstest.Rule(t, "tokens", "1000", "1m")
	loan := limits.Loan{
		Claim: limits.Claim{Key: "a", Rule: rule, Amount: 40}, Seq: 1, Question: 1, Holding: -1, Time: 10_000_000,
	}
	report := func(seq int64, deltas ...limits.Delta) {
		t.Helper()
		loan.Last, loan.Question, loan.Seq, loan.Deltas = loan.Question, seq, seq, deltas
		if ok, err := s.Lend(context.Background(), 25, []limits.Loan{loan}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		loan.Amount, loan.Generation, loan.Give = 0, loan.Decision.Generation, 0
	}
	report(1)
	clock.Advance(4 * time.Second)
	slot := clock.Micros() / rule.Slot()
	used := clock.Micros() - slot*rule.Slot()
	clock.Advance(3 * time.Second)
	loan.Give = 10
	report(2, limits.Delta{Slot: slot, Amount: 30, Last: used})
	for _, tt := range []struct {
		pass  time.Duration
		used  int64
		reset time.Duration
	}{{0, 30, 57 * time.Second}, {57*time.Second - time.Microsecond, 30, time.Microsecond}, {time.Microsecond, 0, 0}} {
		clock.Advance(tt.pass)
		r := claim(t, "a", 0, "tokens", "1000", "1m")
		if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != tt.used || r.Decisions[0].Reset != tt.reset {
			t.Errorf("%v: used %d, reset in %s, want %d, %s", err, r.Decisions[0].Used, r.Decisions[0].Reset, tt.used, tt.reset)
		}
	}
}

// TestLoansExpireOnce holds that the room of an instance that is gone comes back once, that
// a report that it sends after all says what was used of it, and that loans of which
// nothing is to be said any more go from the server.
func TestLoansExpireOnce(t *testing.T) {
	server, clock := redistest.Start(t), limitstest.NewClock()
	rule := limitstest.Rule(t, "tokens", "100", "1d")
	var stores []*Store
	for range 3 {
		s := open(t, server)
		s.fixed = clock.Micros
		stores = append(stores, s)
	}
	seq := int64(0)
	ask := func(s *Store, amount int64, deltas ...limits.Delta) (bool, limits.Loan) {
		t.Helper()
		seq++
		loan := limits.Loan{
			Claim: limits.Claim{Key: "a", Rule: rule, Amount: amount}, Seq: seq, Question: seq, Holding: -1, Time: 10_000_000, Deltas: deltas,
		}
		loans := []limits.Loan{loan}
		ok, err := s.Lend(context.Background(), 25, loans)
		if err != nil {
			t.Fatal(err)
		}
		return ok, loans[0]
	}
	ok, lost := ask(stores[0], 40)
	if !ok || lost.Held != 40 {
		t.Fatalf("%+v", lost)
	}
	if ok, loan := ask(stores[1], 70); ok || loan.Decision.Used != 40 {
		t.Errorf("%t %+v while the other lasts", ok, loan.Decision)
	}
	clock.Advance(10 * time.Second)
	for i, want := range []int64{70, 90, 90} {
		ok, loan := ask(stores[1], []int64{70, 20, 20}[i])
		if ok != (i < 2) || loan.Decision.Used != want {
			t.Errorf("question %d after its expiry: %t %+v, want %d used", i, ok, loan.Decision, want)
		}
	}
	if _, loan := ask(stores[0], 0, limits.Delta{Slot: lost.Head, Amount: 3, Last: 0}); loan.Decision.Used != 93 || loan.Held != 0 {
		t.Errorf("a late report: %+v", loan)
	}
	clock.Advance(11 * time.Second)
	ask(stores[2], 0)
	reported := seq - 1
	for seq = reported - 1; seq < reported; { // its answer was lost
		if _, loan := ask(stores[0], 0, limits.Delta{Slot: lost.Head, Amount: 3, Last: 0}); loan.Decision.Used != 3 {
			t.Errorf("a report that is sent again: %+v", loan.Decision)
		}
	}
	seq++
	clock.Advance(loanTTL*time.Millisecond + 11*time.Second)
	ask(stores[2], 1)
	ask(stores[2], 1)
	if n := server.Must("HLEN {weir}:loans:a"); n != ":1" {
		t.Errorf("%s loans are remembered", n)
	}
}

// lend returns instances of one fleet, each a store of its own on server, and
// what counts their round trips.
func lend(t testing.TB, server *redistest.Server, instances int, terms limits.Terms) ([]*limits.Leased, []*counting) {
	t.Helper()
	var all []*limits.Leased
	var trips []*counting
	for range instances {
		c := &counting{Store: open(t, server)}
		c.others.Store(int64(instances))
		c.beaten.Store(1 << 62)
		l := limits.NewLeased(c, terms, time.Now, nil)
		t.Cleanup(func() { _ = l.Close() })
		all, trips = append(all, l), append(trips, c)
	}
	return all, trips
}

// lendingFailover is failover in mode leased.
func lendingFailover(s *Store, instances int) (*limits.Leased, *limits.Failover) {
	s.others.Store(int64(instances))
	s.beaten.Store(1 << 62)
	l := limits.NewLeased(s, limits.Terms{Time: 2 * time.Second, Percent: 10}, time.Now, nil)
	return l, limits.NewFailover(l, memory.New(time.Now, 0), l.Instances)
}

// race lets 1,000 clients ask the instances by turns. It returns what each got.
func race(t *testing.T, all []*limits.Leased, fill func(r *limits.Reservation)) (reservations []limits.Reservation, admitted int) {
	t.Helper()
	reservations = make([]limits.Reservation, 1000)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range reservations {
		done.Go(func() {
			r := &reservations[i]
			r.Reset()
			fill(r)
			start.Wait()
			if _, err := all[i%len(all)].Reserve(context.Background(), r); err != nil {
				t.Error(err)
			}
		})
	}
	start.Done()
	done.Wait()
	for i := range reservations {
		if reservations[i].Held {
			admitted++
		}
	}
	return reservations, admitted
}

// giveBack settles what race took: nothing was spent.
func giveBack(t *testing.T, all []*limits.Leased, reservations []limits.Reservation) {
	t.Helper()
	for i := range reservations {
		r := &reservations[i]
		if err := all[i%len(all)].Settle(context.Background(), r, make([]int64, len(r.Claims))); err != nil {
			t.Fatal(err)
		}
	}
}

// used is what the server says that a counter holds.
func used(t *testing.T, s limits.Store, key string, words ...string) int64 {
	t.Helper()
	r := claim(t, key, 0, words...)
	if err := s.Peek(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r.Decisions[0].Used
}

// TestLeasedRace lets 1,000 clients at three instances race for 100 places:
// never more than 100 are admitted (X = 0), and no fewer than that less what
// others may hold idle.
func TestLeasedRace(t *testing.T) {
	server := redistest.Start(t)
	longSince(server, "{weir}:")
	shared := open(t, server)
	all, _ := lend(t, server, 3, limits.Terms{Time: 3 * time.Second, Percent: 25})
	for _, c := range []struct {
		name   string
		words  []string
		amount int64
		idle   int
	}{
		{"requests", []string{"requests", "100", "1h"}, 1, 25},
		{"tokens", []string{"tokens", "400k", "1h"}, 4000, 25},
		{"usd a month", []string{"usd", "0.50", "1M"}, limits.Dollar / 200, 25},
		{"concurrency", []string{"concurrency", "100"}, 1, 0},
		{"too short a window", []string{"input_tokens", "100", "799ms"}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "too short a window" {
				// Its room comes back while the clients race: it must be decided
				// by the store, which is another test's.
				r := claim(t, "short", 1, c.words...)
				if !mustReserve(t, all[0], r) || used(t, shared, "short", c.words...) != 1 {
					t.Error("the store has not been asked")
				}
				_ = all[0].Settle(context.Background(), r, nil)
				return
			}
			rule, wide := limitstest.Rule(t, c.words...), limitstest.Rule(t, "input_tokens", "100k", "1h")
			key, wideKey := limits.Key("race", c.name, rule), limits.Key("wide", c.name, wide)
			reservations, admitted := race(t, all, func(r *limits.Reservation) {
				r.Claim(wideKey, wide, 1)
				r.Claim(key, rule, c.amount)
			})
			if admitted > 100 || admitted < 100-c.idle {
				t.Errorf("%d admitted of 100 places", admitted)
			}
			giveBack(t, all, reservations)
			// In time the server hears that nothing was used.
			eventually(t, "what was given back", func() bool {
				return used(t, shared, key, c.words...)+used(t, shared, wideKey, "input_tokens", "100k", "1h") == 0
			})
		})
	}
}

// TestLeasedTrips holds that far from the limit nearly nothing is asked: one
// question for fifty requests at most, where strict mode has two for each.
func TestLeasedTrips(t *testing.T) {
	server := redistest.Start(t)
	longSince(server, "{weir}:")
	all, trips := lend(t, server, 3, limits.DefaultTerms)
	words := [][]string{{"requests", "1M", "1h"}, {"tokens", "9000M", "1h"}, {"usd", "100k", "1M"}}
	const rounds = 10
	for range rounds {
		reservations, admitted := race(t, all, func(r *limits.Reservation) {
			for i, w := range words {
				r.Claim(fmt.Sprint("far", i), limitstest.Rule(t, w...), int64(1+1000*i))
			}
		})
		if admitted != 1000 {
			t.Errorf("%d of 1,000 admitted", admitted)
		}
		giveBack(t, all, reservations)
	}
	sum := int64(0)
	for _, c := range trips {
		sum += c.trips.Load()
	}
	t.Logf("%d round trips for %d requests", sum, rounds*1000)
	if sum > rounds*1000/50 {
		t.Errorf("%d round trips for %d requests far from every limit", sum, rounds*1000)
	}
}

// TestLeasedEnds holds what becomes of a chunk: an instance that closes gives
// it back at once, and one that crashes within its lease.
func TestLeasedEnds(t *testing.T) {
	server := redistest.Start(t)
	longSince(server, "{weir}:")
	shared := open(t, server)
	words := []string{"tokens", "100k", "1h"}
	terms := limits.Terms{Time: time.Second, Percent: 25}
	all, _ := lend(t, server, 2, terms)
	borrow := func(l *limits.Leased) {
		t.Helper()
		// The second request is the one that brings some more.
		for range 2 {
			r := claim(t, "a", 100, words...)
			if !mustReserve(t, l, r) {
				t.Fatalf("%+v", r.Decisions)
			}
			if err := l.Settle(context.Background(), r, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	borrow(all[0])
	if n := used(t, shared, "a", words...); n <= 200 {
		t.Fatalf("nothing is lent: %d", n)
	}
	if err := all[0].Close(); err != nil {
		t.Fatal(err)
	}
	if n := used(t, shared, "a", words...); n != 200 {
		t.Errorf("%d is counted after closing, and 200 were used", n)
	}

	// This one crashes: it has no rounds, and nobody closes it.
	crashed := limits.NewLeased(open(t, server), terms, time.Now, func(time.Duration, func()) {})
	borrow(crashed)
	lent := used(t, shared, "a", words...)
	if lent <= 400 {
		t.Fatalf("nothing is lent: %d", lent)
	}
	looks := 0
	eventually(t, "what the crashed one held", func() bool {
		// It comes when somebody asks, but who asks much is lent much.
		if looks++; looks%20 == 1 {
			r := claim(t, "a", 1, words...)
			if !mustReserve(t, all[1], r) {
				t.Fatalf("%+v", r.Decisions)
			}
			_ = all[1].Settle(context.Background(), r, []int64{0})
		}
		// The first request of the crashed one was reported, the second never.
		return used(t, shared, "a", words...) < lent-100
	})
	_ = all[1].Close()
	if n := used(t, shared, "a", words...); n < 300 || n > 400 {
		t.Errorf("%d is counted, and 400 were used, of which one chunk may be forgotten", n)
	}
}

// TestLeasedStopped holds that an instance that was stopped for longer than its
// lease does not use its chunk (B05), whichever clock tells.
func TestLeasedStopped(t *testing.T) {
	server := redistest.Start(t)
	longSince(server, "{weir}:")
	for _, c := range []struct {
		name string
		skip func(time.Time) time.Time
	}{
		{"by the monotonic clock", func(t time.Time) time.Time { return t.Add(20 * time.Second) }},
		{"by the wall clock alone", func(t time.Time) time.Time { return t.Round(0).Add(20 * time.Second) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var skipped atomic.Bool
			clock := func() time.Time {
				if skipped.Load() {
					return c.skip(time.Now())
				}
				return time.Now()
			}
			store := &counting{Store: open(t, server)}
			l := limits.NewLeased(store, limits.DefaultTerms, clock, func(time.Duration, func()) {})
			ask := func() int64 {
				t.Helper()
				before := store.trips.Load()
				r := claim(t, "stopped:"+c.name, 1, "requests", "10k", "1h")
				if !mustReserve(t, l, r) {
					t.Fatalf("%+v", r.Decisions)
				}
				_ = l.Settle(context.Background(), r, nil)
				return store.trips.Load() - before
			}
			for range 3 {
				ask()
			}
			if n := ask(); n != 0 {
				t.Fatalf("%d questions, although a chunk is held", n)
			}
			skipped.Store(true)
			if n := ask(); n != 1 {
				t.Errorf("%d questions after a stop: the chunk has run out", n)
			}
		})
	}
}

// TestLeasedOutage holds that a chunk lasts while the server is away, then the
// policies hold, and that the server hears of it afterwards, once.
func TestLeasedOutage(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	longSince(server, "{weir}:")
	store := open(t, server)
	l := limits.NewLeased(store, limits.DefaultTerms, time.Now, nil)
	f := limits.NewFailover(l, memory.New(time.Now, 0), l.Instances)
	words := []string{"requests", "1000", "1h", "on_store_error", "deny"}
	admitted := int64(0)
	ask := func() error {
		r := claim(t, "outage", 1, words...)
		ok, err := f.Reserve(context.Background(), r)
		if ok {
			admitted++
			err = f.Settle(context.Background(), r, nil)
		}
		return err
	}
	for range 10 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	store.deadline.Store(int64(DefaultDeadline))
	server.Stop()
	before := admitted
	var err error
	for range 1000 {
		if err = ask(); err != nil {
			break
		}
	}
	if admitted == before || !errors.Is(err, limits.ErrUnavailable) {
		t.Errorf("%d admitted without the server, then %v", admitted-before, err)
	}
	server.Restart()
	eventually(t, "recovery", store.breaker.Allow)
	store.deadline.Store(int64(5 * time.Second))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := used(t, open(t, server), "outage", words...); n != admitted {
		t.Errorf("%d is counted, %d were admitted", n, admitted)
	}
}

// TestModeChange holds that a reload that changes the mode goes on counting,
// and that a request in flight settles where it was reserved.
func TestModeChange(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("WEIR_TEST_REDIS", server.URL)
	load := func(mode string) *Module {
		t.Helper()
		m := &Module{URL: "{env.WEIR_TEST_REDIS}", Deadline: caddy.Duration(5e9), Mode: mode}
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Store().(limits.Tester).SelfTest(context.Background()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	words := []string{"tokens", "1000", "1h"}
	before := load("")
	var last *Module
	for i, mode := range []string{"leased", "strict", "leased"} {
		r := claim(t, "mode", 100, words...)
		if !mustReserve(t, before.Store(), r) {
			t.Fatalf("%+v", r.Decisions)
		}
		old := before.Store()
		last = load(mode)
		if old == last.Store() {
			t.Fatal("one store for two modes")
		}
		if err := before.Cleanup(); err != nil {
			t.Fatal(err)
		}
		if n := used(t, last.Store(), "mode", words...); n != int64(50*i+100) {
			t.Errorf("%s: %d is counted", mode, n)
		}
		if err := old.Settle(context.Background(), r, []int64{50}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the refund", func() bool { return used(t, last.Store(), "mode", words...) == int64(50*i+50) })
		before = last
	}
	if err := last.Cleanup(); err != nil {
		t.Fatal(err)
	}
}
