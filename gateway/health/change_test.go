package health

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestChangesAlternate makes random calls from many goroutines and holds that
// each transition is told once and in order: what is told of a target or an
// account alternates, and ends with its state.
func TestChangesAlternate(t *testing.T) {
	r := pool()
	r.Configure([]Provider{{Name: "p", Endpoint: "e", Accounts: []string{"a", "b"}}}, nil)
	targets := []Target{{"p", "1"}, {"p", "2"}, {"p", "3"}}
	accounts := []string{"a", "b"}
	var told []string
	for round := range uint64(40) { // fewer changes than may wait
		var wg sync.WaitGroup
		for worker := range uint64(8) {
			wg.Go(func() {
				rnd := seeded(round<<8 | worker)
				for range 40 {
					r.any(rnd, targets[rnd.IntN(len(targets))], accounts[rnd.IntN(2)])
				}
			})
		}
		wg.Wait()
		told = append(told, r.heard(t)...)
	}
	down := make(map[string]bool)
	for _, text := range told {
		var kind, what, account string
		_, _ = fmt.Sscan(text, &kind, &what, &account)
		if ChangeKind(kind) == AccountCooling {
			continue // ends by itself
		}
		subject := what // the target, but for a colon when a reason follows
		if ChangeKind(kind) == AccountDisabled || ChangeKind(kind) == AccountEnabled {
			subject = "account " + account
		}
		subject = strings.TrimSuffix(subject, ":")
		worse := ChangeKind(kind) == TargetUnhealthy || ChangeKind(kind) == AccountDisabled
		if down[subject] == worse {
			t.Fatalf("%q is told, but %s was down: %v", text, subject, down[subject])
		}
		down[subject] = worse
	}
	if len(told) < 100 {
		t.Errorf("only %d changes", len(told))
	}
	for _, key := range targets {
		v := r.Look(key)
		if down[key.String()] != (v.State != Closed) {
			t.Errorf("%s is %s, but the last that was told is down: %v", key, v.State, down[key.String()])
		}
		if v.InFlight != 0 {
			t.Errorf("%s: %d in flight", key, v.InFlight)
		}
	}
	for _, a := range accounts {
		if got := r.Account("p", a, "1"); down["account "+a] != got.Disabled || got.InFlight != 0 {
			t.Errorf("account %s: %+v", a, got)
		}
	}
}

// any makes a call of which only chance knows how it goes.
func (r *rig) any(rnd *rand.Rand, key Target, account string) {
	s := Settings{MaxFails: 2}
	c, ok := r.Try(key, account, s)
	if !ok {
		c = r.Begin(key, account, s)
	}
	if rnd.IntN(3) == 0 {
		c.FirstToken(time.Duration(rnd.IntN(1000)) * time.Millisecond)
	}
	r.clock.Add(time.Duration(rnd.IntN(200)) * time.Millisecond)
	c.End(Result{Class: Class(rnd.IntN(int(Abandoned) + 1))})
	if rnd.IntN(500) == 0 {
		r.Reset(key.Provider)
	}
}

// TestSlowListener holds that calls do not wait for the one who is told.
func TestSlowListener(t *testing.T) {
	tracker := New(newClock(), func() float64 { return 0.5 })
	hold := make(chan struct{})
	var told atomic.Int64
	done := make(chan struct{})
	tracker.OnChange(func(c Change) {
		<-hold
		told.Add(1)
		if c.Target.Model == "last" {
			close(done)
		}
	})
	fail := func(model string) {
		c := tracker.Begin(Target{"p", model}, "", Settings{MaxFails: 1})
		c.End(bad)
	}
	for i := range 2 * maxChanges {
		fail(fmt.Sprint(i))
	}
	fail("last")
	close(hold)
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the last change is lost")
	}
	if n := told.Load(); n > maxChanges+1 {
		t.Errorf("%d changes waited", n)
	}
}

// TestDeep holds that a deep check is made once for all who ask.
func TestDeep(t *testing.T) {
	r := newRig()
	var checks atomic.Int64
	ask := func(target Target) (string, time.Time) {
		return r.Deep(target, time.Minute, func() string { return fmt.Sprint("result ", checks.Add(1)) })
	}
	a := Target{"p", "a"}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got, _ := ask(a); got != "result 1" {
				t.Errorf("%s", got)
			}
		})
	}
	wg.Wait()
	first := r.clock.Now()
	r.clock.Add(time.Minute - 1)
	if got, at := ask(a); got != "result 1" || at != first {
		t.Errorf("within the minute: %s of %s", got, at)
	}
	if got, _ := ask(Target{"p", "b"}); got != "result 2" {
		t.Errorf("another target: %s", got)
	}
	r.clock.Add(1)
	if got, at := ask(a); got != "result 3" || at != r.clock.Now() {
		t.Errorf("after the minute: %s of %s", got, at)
	}
}
