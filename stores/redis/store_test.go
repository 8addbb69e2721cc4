package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
)

func TestRace(t *testing.T) {
	for _, program := range redistest.All(t) {
		t.Run(program.Name, func(t *testing.T) { limitstest.Race(t, open(t, program.Start(t))) })
	}
}

// TestRaceOfThree is three gateways on one server.
func TestRaceOfThree(t *testing.T) {
	server := redistest.Start(t)
	limitstest.Race(t, open(t, server), open(t, server), open(t, server))
}

// TestForced is on the store itself, and on one that lends.
func TestForced(t *testing.T) {
	server := redistest.Start(t)
	t.Run("strict", func(t *testing.T) {
		limitstest.Forced(t, open(t, server, func(o *Options) { o.Prefix = "strict" }))
	})
	t.Run("leased", func(t *testing.T) {
		s := open(t, server, func(o *Options) { o.Prefix = "leased" })
		l := limits.NewLeased(s, limits.DefaultTerms, time.Now, nil)
		limitstest.Forced(t, l)
		_ = l.Close()
	})
}

// claim makes a reservation of one claim.
func claim(t *testing.T, key string, amount int64, words ...string) *limits.Reservation {
	t.Helper()
	r := &limits.Reservation{}
	r.Reset()
	r.Claim(key, limitstest.Rule(t, words...), amount)
	return r
}

func mustReserve(t *testing.T, s limits.Store, r *limits.Reservation) bool {
	t.Helper()
	ok, err := s.Reserve(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestOwnTime runs the script on the server's own clock.
func TestOwnTime(t *testing.T) {
	s := open(t, redistest.Start(t))
	for _, words := range [][]string{
		{"tokens", "10", "1m"},
		{"usd", "0.00000001", "1M", "zone", "Pacific/Kiritimati"},
		{"usd", "0.00000001", "1d", "zone", "Pacific/Pago_Pago"},
		{"usd", "0.00000001", "1w"},
	} {
		a := claim(t, "a:"+words[len(words)-1], 7, words...)
		if !mustReserve(t, s, a) || a.Decisions[0].Remaining != 3 || a.Decisions[0].Reset <= 0 {
			t.Errorf("%v: %+v", words, a.Decisions)
		}
		b := claim(t, a.Claims[0].Key, 7, words...)
		if mustReserve(t, s, b) || b.Wait() <= 0 || b.Wait() > 31*24*time.Hour {
			t.Errorf("%v: %+v", words, b.Decisions)
		}
		if err := s.Settle(context.Background(), a, []int64{2}); err != nil || a.Decisions[0].Remaining != 8 {
			t.Errorf("%v: %v %+v", words, err, a.Decisions)
		}
		if !mustReserve(t, s, b) {
			t.Errorf("%v: %+v", words, b.Decisions)
		}
	}
}

// TestLongRequest holds that the server knows a reservation for as long as a request
// may take, and much longer: what was not used would stay counted, and debts not.
func TestLongRequest(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	r := claim(t, "a", 7, "tokens", "10", "1h")
	mustReserve(t, s, r)
	key := s.tag + "held:" + r.ID
	known := func() time.Duration {
		ms, err := strconv.ParseInt(strings.TrimPrefix(server.Must("PTTL "+key), ":"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ms) * time.Millisecond
	}
	if d := known(); d < 12*gateway.DefaultTotalTimeout {
		t.Errorf("a reservation is known for %s", d)
	}
	if err := s.Amend(context.Background(), r, []int64{5}); err != nil || known() < 12*gateway.DefaultTotalTimeout {
		t.Errorf("%v, one that was amended for %s", err, known())
	}
	if err := s.Settle(context.Background(), r, []int64{2}); err != nil || r.Decisions[0].Used != 2 || server.Must("EXISTS "+key) != ":0" {
		t.Errorf("%v, %+v, or it is known still", err, r.Decisions)
	}
}

// TestCancelledBefore holds that a reservation which arrives after its cancellation, since
// its answer was not waited for, takes nothing.
func TestCancelledBefore(t *testing.T) {
	s := open(t, redistest.Start(t))
	r := claim(t, "a", 7, "tokens", "10", "1h")
	ctx, id := context.Background(), s.id()
	for _, step := range []struct {
		op   string
		want int64
	}{{opCancel, statusUnknown}, {opReserve, statusUnknown}, {opCancel, statusUnknown}, {opForce, statusUnknown}} {
		if status, err := s.settle(ctx, &settlement{step.op, id, r.Claims, []int64{7}}); err != nil || status != step.want {
			t.Errorf("%s: status %d, %v", step.op, status, err)
		}
	}
	if err := s.Peek(ctx, r); err != nil || r.Decisions[0].Used != 0 {
		t.Errorf("%v, %+v", err, r.Decisions)
	}
}

// TestSkew holds that a gateway whose clock is months off decides right: the
// server's clock counts.
func TestSkew(t *testing.T) {
	server := redistest.Start(t)
	for _, off := range []time.Duration{-400 * 24 * time.Hour, -10 * time.Minute, 10 * time.Minute, 400 * 24 * time.Hour} {
		s, err := New(Options{URL: server.URL, Deadline: 5 * time.Second}, func() time.Time { return time.Now().Add(off) })
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.SelfTest(context.Background()); err != nil {
			t.Fatal(err)
		}
		// Even one that has lost what it knew of the server's clock.
		s.skew.Store(0)
		key := fmt.Sprint("month", off)
		r := claim(t, key, 1, "usd", "1", "1M")
		if !mustReserve(t, s, r) {
			t.Errorf("%s: %+v", off, r.Decisions)
		}
		_, end := r.Claims[0].Rule.Period(time.Now())
		if d := time.Until(end) - r.Decisions[0].Reset; d.Abs() > time.Minute {
			t.Errorf("%s: the reset is %s off", off, d)
		}
		s.skew.Store(0)
		if err := s.Renew(context.Background(), r); err != nil {
			t.Errorf("%s: renewing: %v", off, err)
		}
		s.skew.Store(0)
		if err := s.Settle(context.Background(), r, []int64{0}); err != nil || r.Decisions[0].Used != 0 {
			t.Errorf("%s: %v %+v", off, err, r.Decisions)
		}
		// What had to wait arrives too.
		mustReserve(t, s, r)
		s.skew.Store(0)
		s.later(opSettle, r, []int64{3})
		eventually(t, "the settlement", func() bool { return s.Pending() == 0 })
		r.Held = false
		s.held.Add(-1)
		if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != 3 {
			t.Errorf("%s: %v %+v after a settlement that waited", off, err, r.Decisions)
		}
		charge := claim(t, key, 4, "usd", "1", "1M")
		charge.ID = s.id()
		s.skew.Store(0)
		s.later(opCharge, charge, nil)
		eventually(t, "the charge", func() bool { return s.Pending() == 0 })
		if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != 7 {
			t.Errorf("%s: %v %+v after a charge that waited", off, err, r.Decisions)
		}
	}
}

// TestSettledOnce sends a settlement twice, as after an answer that was lost
// (A14), and settles after a crash by the id alone.
func TestSettledOnce(t *testing.T) {
	server := redistest.Start(t)
	s, other := open(t, server), open(t, server)
	a := claim(t, "a", 50, "tokens", "100", "1h")
	b := claim(t, "a", 40, "tokens", "100", "1h")
	mustReserve(t, s, a)
	mustReserve(t, s, b)
	for range 2 {
		again := *a
		if err := s.Settle(context.Background(), &again, []int64{10}); err != nil {
			t.Fatal(err)
		}
		s.held.Add(1)
	}
	s.held.Add(-1)
	a.Held = false
	if err := s.Peek(context.Background(), a); err != nil || a.Decisions[0].Used != 50 {
		t.Errorf("%v %+v", err, a.Decisions)
	}
	// The process of b is gone; its journal knows the id and the claims.
	revived := claim(t, "a", 40, "tokens", "100", "1h")
	revived.ID, revived.Held = b.ID, true
	other.held.Add(1)
	if err := other.Settle(context.Background(), revived, []int64{5}); err != nil || revived.Decisions[0].Used != 15 {
		t.Errorf("%v %+v", err, revived.Decisions)
	}
	if err := s.Settle(context.Background(), b, []int64{0}); err != nil || b.Decisions[0].Used != 15 {
		t.Errorf("%v %+v", err, b.Decisions)
	}
}

// TestRestore raises counters, and never lowers them.
func TestRestore(t *testing.T) {
	s := open(t, redistest.Start(t))
	rule := limitstest.Rule(t, "usd", "1", "1M")
	restore := func(less int64) {
		t.Helper()
		var histories []limits.History
		for i := range int64(120) {
			histories = append(histories, limits.History{Key: fmt.Sprint(i), Rule: rule, Uses: []limits.Use{{Amount: 900 - less}, {Ago: time.Hour, Amount: 100 + i}}})
		}
		if err := s.Restore(context.Background(), histories); err != nil {
			t.Fatal(err)
		}
	}
	restore(0)
	restore(500)
	restore(0)
	for _, i := range []int{0, 49, 50, 119} {
		r := claim(t, fmt.Sprint(i), 0, "usd", "1", "1M")
		if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != int64(1000+i) {
			t.Errorf("%d: %v %+v", i, err, r.Decisions)
		}
	}
}

// TestForeign puts the server into the states that servers get into (F08).
func TestForeign(t *testing.T) {
	for _, c := range []struct {
		name         string
		before       string
		after        string
		unavailable  bool
		stillAllowed bool
	}{
		{"script flush", "SCRIPT FLUSH", "", false, true},
		{"wrong type", "SET {weir}:a x", "DEL {weir}:a", true, true},
		{"out of memory", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", true, true},
		{"a replica", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server)
			server.Must(c.before)
			r := claim(t, "a", 1, "requests", "9", "1h")
			ok, err := s.Reserve(context.Background(), r)
			if c.unavailable != errors.Is(err, limits.ErrUnavailable) || ok == c.unavailable {
				t.Errorf("%t %v", ok, err)
			}
			if c.after == "" {
				return
			}
			server.Must(c.after)
			r = claim(t, "a", 1, "requests", "9", "1h")
			if !mustReserve(t, s, r) || r.Decisions[0].Used != 1 {
				t.Errorf("afterwards: %+v", r.Decisions)
			}
			_ = s.Settle(context.Background(), r, nil)
		})
	}
}

// TestSelfTest refuses servers on which limits would not hold.
func TestSelfTest(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		prepare string
		problem string
		warning string
	}{
		{name: "plain", warning: "no append-only file"},
		{name: "append-only", args: []string{"--appendonly", "yes"}},
		{name: "evicting", args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, problem: "evicts keys (maxmemory-policy allkeys-lru)"},
		{name: "would evict", args: []string{"--maxmemory-policy", "volatile-lru"}, warning: "maxmemory-policy is volatile-lru"},
		{name: "a replica", args: []string{"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "yes"}, problem: "replica"},
		{name: "a password", args: []string{"--requirepass", "s3cret-word"}, problem: "NOAUTH"},
		{name: "no scripts", prepare: "ACL SETUSER default -evalsha -eval", problem: "NOPERM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var server *redistest.Server
			if c.name == "a password" {
				server = redistest.Start(t)
				server.Must("CONFIG SET requirepass s3cret-word")
			} else {
				server = redistest.Start(t, c.args...)
			}
			if c.prepare != "" {
				server.Must(c.prepare)
			}
			s, err := New(Options{URL: server.URL, Deadline: 5 * time.Second}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			warnings, err := s.SelfTest(context.Background())
			switch {
			case c.problem == "" && err != nil:
				t.Error(err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("%v, want %s", err, c.problem)
			case c.problem == "" && !strings.Contains(strings.Join(warnings, "\n"), c.warning):
				t.Errorf("%q, want %s", warnings, c.warning)
			}
		})
	}
	s, err := New(Options{URL: "redis://127.0.0.1:1"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.SelfTest(context.Background()); err == nil {
		t.Error("nothing listens, and the self-test is content")
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct{ url, problem string }{
		{"redis://u:p%40ss@h:1/3", ""},
		{"rediss://h?addr=h2:6380", ""},
		{"valkey://h:1?master_set=m", ""},
		{"unix:///run/redis.sock?db=2", ""},
		{"", "cannot be read"},
		{"localhost", "cannot be read"},
		{"http://u:secret@h", "scheme 'http'"},
		{"redis://u:secret@h/x", "cannot be used"},
		{"rediss://u:secret@h?skip_verify=1", "always verified"},
		{"redis://u:secret@h:%zz", "cannot be read"},
	} {
		s, err := New(Options{URL: c.url}, time.Now)
		switch {
		case err == nil && c.problem == "":
			_ = s.Close()
		case err == nil || c.problem == "" || !strings.Contains(err.Error(), c.problem):
			t.Errorf("%s: %v, want %q", c.url, err, c.problem)
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("the error has the password: %v", err)
		}
	}
}
