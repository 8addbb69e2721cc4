package limits

import (
	"context"
	"testing"
	"time"
)

// stub is a Lender that answers what it is told, and keeps what it was told.
type stub struct {
	Lender
	decide  func(r *Reservation)
	refuse  bool
	settled []Hold
}

func (*stub) Instances() int { return 1 }

func (s *stub) Reserve(_ context.Context, r *Reservation) (bool, error) {
	r.Prepare()
	s.decide(r)
	r.Held = !r.Refuse()
	return r.Held, nil
}

func (s *stub) Settle(_ context.Context, r *Reservation, _ []int64) error {
	s.settled, r.Held = r.Holds, false
	return nil
}

func (s *stub) Lend(_ context.Context, _ int64, loans []Loan) (bool, error) {
	for i := range loans {
		d := Decision{Limit: loans[i].Rule.amount(), Used: 9, Generation: 1}
		if s.refuse {
			d.Over, d.Wait = true, time.Second
		}
		loans[i].Decision = d
	}
	return !s.refuse, nil
}

func reservation(t *testing.T, rules ...[]string) *Reservation {
	t.Helper()
	r := &Reservation{}
	r.Reset()
	for _, words := range rules {
		rule, err := Parse(words)
		if err != nil {
			t.Fatal(err)
		}
		r.Claim(rule.ID(), &rule, 1)
	}
	return r
}

// TestLeasedStrictPart holds that what is settled strictly says what is known
// by then, not what was known when it was reserved.
func TestLeasedStrictPart(t *testing.T) {
	s := &stub{decide: func(*Reservation) {}}
	l := NewLeased(s, DefaultTerms, time.Now, func(time.Duration, func()) {})
	r := reservation(t, []string{"requests", "5", "500ms"})
	if ok, err := l.Reserve(context.Background(), r); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r.Holds[0].Known, r.Holds[0].Generation = 3, 7
	if err := l.Settle(context.Background(), r, nil); err != nil {
		t.Fatal(err)
	}
	if len(s.settled) != 1 || s.settled[0].Known != 3 || s.settled[0].Generation != 7 {
		t.Errorf("settled with %+v", s.settled)
	}
}

// TestLeasedUndecided holds that claims that were not asked about, since
// another was refused, are told, and noted again, as they were known.
func TestLeasedUndecided(t *testing.T) {
	s := &stub{refuse: true}
	l := NewLeased(s, DefaultTerms, time.Now, func(time.Duration, func()) {})
	r := reservation(t, []string{"requests", "10", "1h"}, []string{"requests", "5", "500ms"})
	r.Holds = []Hold{{}, {Known: 2, Generation: 1}}
	if ok, err := l.Reserve(context.Background(), r); ok || err != nil || r.Refused != 0 {
		t.Fatal(ok, err, r.Refused)
	}
	if d := r.Decisions[1]; d.Limit != 5 || d.Used != 2 || d.Remaining != 3 || d.Generation != 1 {
		t.Errorf("%+v", d)
	}
}

// TestLeasedHeeds holds that all chunks are reported, idle ones too, once one
// answer says that the store has begun again.
func TestLeasedHeeds(t *testing.T) {
	var spawned []func()
	l := NewLeased(&stub{}, DefaultTerms, time.Now, func(after time.Duration, f func()) {
		if after == 0 {
			spawned = append(spawned, f)
		}
	})
	for _, words := range [][]string{{"requests", "10", "1h"}, {"tokens", "10", "1h"}} {
		rule := reservation(t, words).Claims[0].Rule
		c := l.chunk(&Claim{Key: words[0], Rule: rule})
		c.arrive(&Loan{Decision: Decision{Limit: 10, Used: 4, Generation: 5}, Time: 1}, true, 0, 0, time.Now())
		c.mu.Unlock()
	}
	l.heed(5)
	if len(spawned) != 0 {
		t.Fatal("reports without need")
	}
	if ok, err := l.Reserve(context.Background(), reservation(t, []string{"usd", "1", "1d"})); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, f := range spawned {
		f()
	}
	for _, key := range []string{"requests", "tokens"} {
		c := l.chunk(&Claim{Key: key, Rule: &Rule{}})
		if c.generation != 1 || c.total != 9 {
			t.Errorf("%s: generation %d, total %d", key, c.generation, c.total)
		}
		c.mu.Unlock()
	}
}
