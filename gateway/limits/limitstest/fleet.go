package limitstest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

// Fleet is a simulated fleet of instances whose store lends them room. Its
// faults are drawn by the trace: answers that are lost and, where Faults says
// so, crashes and stops.
type Fleet struct {
	// Start makes an instance on clock, which remembers by local, if it is not
	// nil; what it spawns is run by the trace.
	Start func(local limits.LocalStore, clock func() time.Time, spawn func(time.Duration, func()), lost func() bool) *limits.Leased

	// Store is the shared store itself.
	Store limits.Store

	Instances int
	Terms     limits.Terms
	Faults    bool

	// Replica makes traces with failovers; nil for none. Local makes what an
	// instance remembers of the counters.
	Replica Replica
	Local   func(clock func() time.Time) limits.LocalStore
}

type instance struct {
	store   *limits.Leased
	local   limits.LocalStore
	skew    time.Duration
	waiting []func()
	held    []*admission
	all     []*admission

	// stopped is when it goes on, 0 if it runs.
	stopped int64
}

// fault is what an instance may have forgotten.
type fault struct {
	at   int64
	wall time.Time
}

type fleet struct {
	trace
	f         *Fleet
	instances []*instance
	promoted  int

	// lost are the promotions of a stale replica: it has amounts in other slots
	// than they were used in, by a chunk at most.
	lost     []fault
	faults   []fault
	admitted int

	// unheard is by key what crashed instances had been refunded, which the
	// store may not have heard of.
	unheard map[string]int64
}

// Trace runs a random trace and checks the bound of limits.Leased at every
// admission: without faults no true window is over its limit, and each fault
// is worth one chunk. In the end, and after every crash, the store must hold
// what was used and nothing else. It returns how many were admitted.
func (f *Fleet) Trace(t *testing.T, seed uint64, steps int, clock *Clock) int {
	t.Helper()
	tr := &fleet{trace: trace{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), clock: clock}, f: f, unheard: map[string]int64{}}
	for i, words := range rules {
		rule := Rule(t, words...)
		tr.rules = append(tr.rules, rule)
		tr.keys = append(tr.keys, limits.Key("test", string(rune('a'+i)), rule))
	}
	for range f.Instances {
		tr.instances = append(tr.instances, tr.boot())
	}
	for tr.steps = range steps {
		in := tr.instances[tr.rnd.IntN(len(tr.instances))]
		switch n := tr.rnd.IntN(40); {
		case in.stopped != 0:
			tr.pass(time.Second)
		case n < 20:
			tr.background(in) // or it would wait for what only the trace runs
			tr.reserveAt(in)
		case n < 32:
			tr.settleAt(in)
		case n < 33:
			tr.background(in)
		case n < 34:
			tr.amendAt(in)
		case n == 34 && f.Faults:
			tr.crash(in)
		case n == 35 && f.Faults:
			tr.stop(in)
		case n == 34 && f.Replica != nil:
			tr.failover()
		case n < 39:
			tr.pass(time.Duration(tr.rnd.Int64N(int64(2 * time.Second))))
		default:
			tr.leap()
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, tr.steps)
		}
	}
	tr.end()
	if t.Failed() {
		t.Fatalf("seed %d, at the end", seed)
	}
	return tr.admitted
}

func (tr *fleet) boot() *instance {
	in := &instance{skew: time.Duration(tr.rnd.Int64N(int64(time.Minute)) - int64(30*time.Second))}
	if tr.f.Local != nil {
		in.local = tr.f.Local(func() time.Time { return tr.clock.Now().Add(in.skew) })
	}
	in.store = tr.f.Start(in.local,
		func() time.Time { return tr.clock.Now().Add(in.skew) },
		func(after time.Duration, f func()) {
			if after == 0 { // the trace makes the rounds itself
				in.waiting = append(in.waiting, f)
			}
		},
		func() bool { return tr.rnd.IntN(12) == 0 },
	)
	return in
}

// crash forgets an instance: nobody settles what it held.
func (tr *fleet) crash(in *instance) {
	tr.faults = append(tr.faults, fault{tr.clock.Micros(), tr.clock.Now()})
	for _, a := range in.all {
		for i := range a.parts {
			tr.unheard[a.parts[i].key] += a.parts[i].asked - a.parts[i].counted
		}
	}
	for i := range tr.instances {
		if tr.instances[i] == in {
			tr.instances[i] = tr.boot()
		}
	}
}

// stop lets an instance stand still for longer than its leases: what it has not
// reported of debts comes late.
func (tr *fleet) stop(in *instance) {
	const still = 20 * time.Second
	tr.faults = append(tr.faults, fault{tr.clock.Micros(), tr.clock.Now()})
	in.stopped = tr.clock.Micros() + still.Microseconds()
	for _, a := range in.all {
		for i := range a.parts {
			if p := &a.parts[i]; p.owed > tr.clock.Micros() {
				p.owed, p.owedWall = p.owed+still.Microseconds(), p.owedWall.Add(still)
			}
		}
	}
}

// pass lets time go on, in steps in which every instance that runs reports.
func (tr *fleet) pass(d time.Duration) (more bool) {
	for step := tr.f.Terms.Time / 20; d > 0; d -= step {
		tr.clock.Advance(min(d, step))
		more = false
		for _, in := range tr.instances {
			if in.stopped > tr.clock.Micros() {
				more = true
				continue
			}
			in.stopped = 0
			tr.background(in)
			more = in.store.Report(context.Background()) || more
		}
	}
	return more
}

// leap is a longer time, in which nothing is asked.
func (tr *fleet) leap() {
	for range 100 {
		if !tr.pass(tr.f.Terms.Time / 10) {
			break
		}
	}
	tr.advance()
}

func (tr *fleet) background(in *instance) {
	for _, f := range in.waiting {
		f()
	}
	in.waiting = nil
}

func (tr *fleet) reserveAt(in *instance) {
	which := tr.rnd.Perm(len(tr.rules))[:1+tr.rnd.IntN(3)]
	a := &admission{at: tr.clock.Micros(), wall: tr.clock.Now()}
	r := &limits.Reservation{}
	r.Reset()
	for _, rule := range which {
		amount := int64(1)
		if unit := tr.rules[rule].Unit; unit != limits.Requests && unit != limits.Concurrency {
			amount = tr.rnd.Int64N(min(tr.rules[rule].Amount, 1_000_000)/8 + 2)
		}
		r.Claim(tr.keys[rule], tr.rules[rule], amount)
		a.parts = append(a.parts, part{rule: tr.rules[rule], key: tr.keys[rule], asked: amount, reserved: amount, counted: amount})
	}
	a.in = []*limits.Reservation{r}
	ok, err := in.reserve(r)
	if err != nil && !errors.Is(err, limits.ErrUnavailable) {
		tr.t.Fatal(err)
	}
	if !ok {
		if err == nil && (r.Refused < 0 || r.Wait() == 0) {
			tr.t.Errorf("refused without a wait: %+v", r.Decisions)
		}
		return
	}
	tr.admitted++
	for i := range a.parts {
		p := &a.parts[i]
		if p.rule.Shadow {
			continue
		}
		used, _ := tr.model.sums(a, p)
		if most := p.rule.Amount + tr.overshoot(a, p); used+p.reserved > most {
			tr.t.Errorf("%s: admitted %d over %d in a true window, %d at most", p.rule, p.reserved, used, most)
		}
	}
	tr.model.log = append(tr.model.log, a)
	in.held, in.all = append(in.held, a), append(in.all, a)
}

// overshoot is what faults allow a window to be over its limit: one chunk
// each, or what one request brought.
func (tr *fleet) overshoot(a *admission, p *part) (most int64) {
	if p.rule.Unit == limits.Concurrency {
		if tr.promoted > 0 {
			return limits.MaxAmount - p.rule.Amount // a replica may lack leases
		}
		return 0
	}
	chunk := max(p.rule.Amount*tr.f.Terms.Percent/100/int64(tr.f.Instances), min(p.rule.Amount, 1_000_000)/8+2)
	faults := tr.faults
	if p.rule.Calendar == limits.Sliding {
		faults = slices.Concat(faults, tr.lost)
	}
	for _, f := range faults {
		inside := f.at > a.at-p.rule.Window.Microseconds()-tr.f.Terms.Time.Microseconds()
		if p.rule.Calendar != limits.Sliding {
			start, _ := p.rule.Period(a.wall)
			inside = !f.wall.Before(start.Add(-tr.f.Terms.Time))
		}
		if inside {
			most = limits.Add(most, chunk)
		}
	}
	return most
}

func (tr *fleet) amendAt(in *instance) {
	if len(in.held) == 0 {
		return
	}
	a := in.held[tr.rnd.IntN(len(in.held))]
	was := slices.Clone(a.parts)
	if err := in.store.Amend(context.Background(), a.in[0], a.amend(tr.rnd)); err != nil {
		if !errors.Is(err, limits.ErrUnavailable) {
			tr.t.Fatal(err)
		}
		a.parts = was
	}
}

func (tr *fleet) settleAt(in *instance) {
	if len(in.held) == 0 {
		return
	}
	i := tr.rnd.IntN(len(in.held))
	a := in.held[i]
	in.held = append(in.held[:i], in.held[i+1:]...)
	var actual []int64
	if tr.rnd.IntN(8) > 0 {
		for i := range a.parts {
			n := tr.rnd.Int64N(a.parts[i].reserved + 1)
			if tr.rnd.IntN(6) == 0 {
				n = a.parts[i].reserved + tr.rnd.Int64N(50)
			}
			actual = append(actual, n)
		}
	}
	for range 1 + tr.rnd.IntN(2) {
		if err := in.settle(a.in[0], actual); err != nil && !errors.Is(err, limits.ErrUnavailable) {
			tr.t.Fatal(err)
		}
	}
	// A debt whose slot has left the window is the store's newest use when it is
	// reported, which is within a lease.
	reported := tr.clock.Now().Add(tr.f.Terms.Time)
	tr.model.settle(a, actual, reported.UnixMicro(), reported)
}

// end settles all, lets everybody report, and compares the store with the
// model: nothing is idle, and nothing forgotten but by faults.
func (tr *fleet) end() {
	for _, in := range tr.instances {
		in.stopped = 0
		for len(in.held) > 0 {
			tr.settleAt(in)
		}
	}
	// What crashed instances held is taken back when somebody asks again.
	tr.pass(tr.f.Terms.Time)
	for i, rule := range tr.rules {
		r := &limits.Reservation{}
		r.Reset()
		r.Claim(tr.keys[i], rule, 1)
		if _, err := tr.instances[0].store.Reserve(context.Background(), r); err != nil && !errors.Is(err, limits.ErrUnavailable) {
			tr.t.Fatal(err)
		}
		if err := tr.instances[0].store.Settle(context.Background(), r, []int64{0}); err != nil {
			tr.t.Fatal(err)
		}
	}
	more := true
	for i := 0; more && i < 100; i++ {
		more = tr.pass(tr.f.Terms.Time / 10)
	}
	if more {
		tr.t.Error("an instance goes on reporting although nothing happens")
	}
	r := &limits.Reservation{}
	r.Reset()
	a := &admission{at: tr.clock.Micros(), wall: tr.clock.Now()}
	for i, rule := range tr.rules {
		r.Claim(tr.keys[i], rule, 0)
		a.parts = append(a.parts, part{rule: rule, key: tr.keys[i]})
	}
	if err := tr.f.Store.Peek(context.Background(), r); err != nil {
		tr.t.Fatal(err)
	}
	for i := range a.parts {
		p := &a.parts[i]
		if p.rule.Unit == limits.Concurrency {
			continue
		}
		strict, loose := tr.model.sums(a, p)
		least := strict - tr.overshoot(a, p)
		loose = limits.Add(loose, tr.unheard[p.key])
		if tr.promoted > 0 {
			loose = limits.MaxAmount // what was lost is counted in full
		}
		if used := r.Decisions[i].Used; used < least || used > loose {
			tr.t.Errorf("%s: the store has counted %d, and %d to %d were used", p.rule, used, least, loose)
		}
	}
}
