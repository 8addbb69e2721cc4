// Package limitstest holds stores of limits to their promises: random traces
// against a model that keeps every admission, and races for the last places.
package limitstest

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/gateway/limits"
)

// Clock is a clock that only tests move.
type Clock struct{ now time.Time }

// NewClock returns a clock at a moment where months, weeks and slots have no
// common edge.
func NewClock() *Clock { return &Clock{time.Date(2026, 3, 27, 21, 59, 50, 123456000, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time { return c.now }

// Micros is the clock's time in microseconds since 1970.
func (c *Clock) Micros() int64 { return c.now.UnixMicro() }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.now = c.now.Add(d.Truncate(time.Microsecond)) }

// Rule parses words.
func Rule(tb testing.TB, words ...string) *limits.Rule {
	tb.Helper()
	rule, err := limits.Parse(words)
	if err != nil {
		tb.Fatal(err)
	}
	return &rule
}

// rules are what traces draw from. Their windows are long in real time, since
// Redis lets keys expire by it.
var rules = [][]string{
	{"requests", "5", "1m"},
	{"requests", "7", "100s"},
	{"tokens", "1000", "1m"},
	{"input_tokens", "3k", "1h"},
	{"output_tokens", "900", "7m"},
	{"usd", "0.000001", "1d", "zone", "Europe/Kyiv"},
	{"usd", "0.000002", "1w"},
	{"usd", "0.000003", "1M", "zone", "America/St_Johns"},
	{"tokens", "9007199254740991", "1h"},
	{"concurrency", "3"},
	{"tokens", "500", "2m", "shadow"},
}

type trace struct {
	t      *testing.T
	rnd    *rand.Rand
	clock  *Clock
	stores []limits.Store
	rules  []*limits.Rule
	keys   []string
	model  model
	held   []*admission
	steps  int

	// lastWait is what the last refusal said.
	lastWait time.Duration
}

// Trace runs a random trace of length steps through all stores, which read
// clock. They must agree in every decision, and the first must keep to the
// model.
func Trace(t *testing.T, seed uint64, steps int, clock *Clock, stores ...limits.Store) {
	t.Helper()
	tr := &trace{t: t, rnd: rand.New(rand.NewPCG(seed, 5)), clock: clock, stores: stores}
	for i, words := range rules {
		rule := Rule(t, words...)
		tr.rules = append(tr.rules, rule)
		tr.keys = append(tr.keys, limits.Key("test", string(rune('a'+i)), rule))
	}
	for tr.steps = range steps {
		switch n := tr.rnd.IntN(20); {
		case n < 8:
			tr.reserve()
		case n < 13:
			tr.settle()
		case n < 14:
			tr.renew()
		case n < 15:
			tr.peek()
		case n < 16:
			tr.amend()
		default:
			tr.advance()
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, tr.steps)
		}
	}
	// What is left is settled, so that stores can be closed.
	for len(tr.held) > 0 {
		tr.settle()
	}
}

func (tr *trace) advance() {
	var d time.Duration
	switch rule := tr.rules[tr.rnd.IntN(len(tr.rules))]; tr.rnd.IntN(6) {
	case 0:
		d = time.Duration(tr.rnd.IntN(3)) * time.Microsecond
	case 1:
		d = time.Duration(tr.rnd.Int64N(int64(10 * time.Second)))
	case 2:
		// To the edge of a slot, a microsecond before or after it.
		slot := max(rule.Slot(), 1)
		next := (tr.clock.Micros()/slot+1+tr.rnd.Int64N(3))*slot - tr.clock.Micros()
		d = time.Duration(next+tr.rnd.Int64N(3)-1) * time.Microsecond
	case 3:
		d = rule.Window + time.Duration(tr.rnd.IntN(3)-1)*time.Microsecond
	case 4:
		if rule.Calendar != limits.Sliding {
			_, end := rule.Period(tr.clock.Now())
			d = end.Sub(tr.clock.Now()) + time.Duration(tr.rnd.IntN(3)-1)*time.Microsecond
		}
	default:
		d = time.Duration(tr.rnd.IntN(35)) * time.Second
	}
	tr.clock.Advance(max(d, 0))
}

// amount is a random amount for rule, often near its limit.
func (tr *trace) amount(rule *limits.Rule) int64 {
	switch {
	case rule.Unit == limits.Requests || rule.Unit == limits.Concurrency:
		return 1
	case tr.rnd.IntN(30) == 0:
		return rule.Amount
	case tr.rnd.IntN(50) == 0:
		return limits.MaxAmount
	default:
		return tr.rnd.Int64N(rule.Amount/3 + 1)
	}
}

func (tr *trace) reserve() {
	which := tr.rnd.Perm(len(tr.rules))[:1+tr.rnd.IntN(4)]
	amounts := make([]int64, len(which))
	for i, rule := range which {
		amounts[i] = tr.amount(tr.rules[rule])
	}
	// Counters of the largest amount lose what goes beyond it.
	force := tr.rnd.IntN(16) == 0 && !slices.ContainsFunc(which, func(rule int) bool { return tr.rules[rule].Amount == limits.MaxAmount })
	if tr.try(which, amounts, force) != nil {
		return
	}
	if force {
		tr.t.Error("refused what was forced")
	}
	// Room comes exactly when it was said to come.
	wait := tr.lastWait
	if wait <= 0 || wait == limits.Soon || tr.rnd.IntN(3) > 0 {
		return
	}
	tr.clock.Advance(wait - time.Microsecond)
	if tr.try(which, amounts, false) != nil {
		tr.t.Errorf("admitted before the wait of %s was over", wait)
	}
	if tr.lastWait != time.Microsecond {
		// A concurrency limit may have become the longer wait.
		return
	}
	tr.clock.Advance(time.Microsecond)
	if tr.try(which, amounts, false) == nil {
		tr.t.Errorf("refused after the wait of %s", wait)
	}
}

// try reserves in all stores and checks the outcome.
func (tr *trace) try(which []int, amounts []int64, force bool) *admission {
	a := &admission{at: tr.clock.Micros(), wall: tr.clock.Now()}
	for i, rule := range which {
		a.parts = append(a.parts, part{rule: tr.rules[rule], key: tr.keys[rule], asked: amounts[i], reserved: amounts[i], counted: amounts[i]})
	}
	admitted := false
	for s, store := range tr.stores {
		r := &limits.Reservation{}
		r.Reset()
		r.Force = force
		for i, rule := range which {
			r.Claim(tr.keys[rule], tr.rules[rule], amounts[i])
		}
		ok, err := store.Reserve(context.Background(), r)
		if err != nil {
			tr.t.Fatalf("reserving in store %d: %v", s, err)
		}
		if s == 0 {
			admitted, tr.lastWait = ok, r.Wait()
		} else if ok != admitted {
			tr.t.Errorf("store %d decided %t, the first %t: %+v", s, ok, admitted, r.Decisions)
		}
		a.in = append(a.in, r)
	}
	tr.agree(a.in)
	if !force {
		tr.model.check(tr.t, a, admitted)
	}
	if !admitted {
		return nil
	}
	tr.model.log = append(tr.model.log, a)
	tr.held = append(tr.held, a)
	return a
}

// agree compares what the stores say.
func (tr *trace) agree(in []*limits.Reservation) {
	for s := 1; s < len(in); s++ {
		if diff := cmp.Diff(in[0].Decisions, in[s].Decisions, cmpopts.IgnoreFields(limits.Decision{}, "Generation")); diff != "" {
			tr.t.Errorf("the first store and store %d differ:\n%s", s, diff)
		}
		if in[0].Refused != in[s].Refused {
			tr.t.Errorf("claim %d refused in the first store, %d in store %d", in[0].Refused, in[s].Refused, s)
		}
	}
}

func (tr *trace) pick() (*admission, int) {
	if len(tr.held) == 0 {
		return nil, 0
	}
	i := tr.rnd.IntN(len(tr.held))
	return tr.held[i], i
}

func (tr *trace) settle() {
	a, i := tr.pick()
	if a == nil {
		return
	}
	tr.held = append(tr.held[:i], tr.held[i+1:]...)
	var actual []int64
	if tr.rnd.IntN(8) > 0 {
		actual = make([]int64, len(a.parts))
		for i := range a.parts {
			if actual[i] = tr.rnd.Int64N(a.parts[i].reserved + 1); tr.rnd.IntN(6) == 0 {
				actual[i] = a.parts[i].reserved + tr.rnd.Int64N(50)
			}
		}
	}
	for s, store := range tr.stores {
		for range 1 + tr.rnd.IntN(2) {
			if err := store.Settle(context.Background(), a.in[s], actual); err != nil {
				tr.t.Fatalf("settling in store %d: %v", s, err)
			}
		}
	}
	tr.agree(a.in)
	tr.model.settle(a, actual, tr.clock.Micros(), tr.clock.Now())
}

// amend lowers what an admission holds, and does so once however often it is
// said.
func (tr *trace) amend() {
	a, _ := tr.pick()
	if a == nil {
		return
	}
	amounts := a.amend(tr.rnd)
	for s, store := range tr.stores {
		for range 1 + tr.rnd.IntN(2) {
			if err := store.Amend(context.Background(), a.in[s], amounts); err != nil {
				tr.t.Fatalf("amending in store %d: %v", s, err)
			}
		}
		for i := range a.parts {
			if got := a.in[s].Claims[i].Amount; got != a.parts[i].reserved {
				tr.t.Errorf("store %d: claim %d is %d after it was amended to %d", s, i, got, a.parts[i].reserved)
			}
		}
	}
}

func (tr *trace) renew() {
	a, _ := tr.pick()
	if a == nil {
		return
	}
	var lost [2]bool
	for s, store := range tr.stores {
		lost[min(s, 1)] = store.Renew(context.Background(), a.in[s]) != nil
	}
	if len(tr.stores) > 1 && lost[0] != lost[1] {
		tr.t.Errorf("renewing: lost %v", lost)
	}
	tr.model.renew(tr.t, a, tr.clock.Micros(), !lost[0])
}

func (tr *trace) peek() {
	var in []*limits.Reservation
	for s, store := range tr.stores {
		r := &limits.Reservation{}
		r.Reset()
		for i := range tr.rules {
			r.Claim(tr.keys[i], tr.rules[i], 1)
		}
		if err := store.Peek(context.Background(), r); err != nil {
			tr.t.Fatalf("peeking into store %d: %v", s, err)
		}
		in = append(in, r)
	}
	tr.agree(in)
}
