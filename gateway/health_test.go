package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHealth(t *testing.T) {
	c := newClock()
	h := NewHealth(c)
	a, b := Target{"p", "a"}, Target{"p", "b"}
	want := func(up bool, when string) {
		t.Helper()
		if h.Up(a) != up {
			t.Errorf("%s: up is %v", when, !up)
		}
	}
	want(true, "unknown")
	h.Report(a, false)
	h.Report(a, false)
	want(true, "two failures")
	h.Report(a, true)
	h.Report(a, false)
	h.Report(a, false)
	want(true, "two failures after a success")
	h.Report(a, false)
	want(false, "three failures")
	if !h.Up(b) {
		t.Error("another target of the provider is down too")
	}
	c.add(failDuration - 1)
	want(false, "just before the end")
	c.add(1)
	want(true, "at the end")
}

// TestHealthIsBounded holds that invented model names do not fill the memory,
// nor push out what is known.
func TestHealthIsBounded(t *testing.T) {
	h := NewHealth(newClock())
	known := Target{"p", "known"}
	for range maxFailures {
		h.Report(known, false)
	}
	for i := range 2 * maxTargets {
		h.Report(Target{"p", fmt.Sprint(i)}, false)
	}
	if n := len(h.targets); n > maxTargets {
		t.Errorf("%d targets remembered", n)
	}
	if h.Up(known) {
		t.Error("a known target was forgotten")
	}
}

func TestDeep(t *testing.T) {
	c := newClock()
	h := NewHealth(c)
	var checks atomic.Int64
	ask := func(target Target) (string, time.Time) {
		return h.Deep(target, time.Minute, func() string { return fmt.Sprint("result ", checks.Add(1)) })
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
	first := c.Now()
	c.add(time.Minute - 1)
	if got, at := ask(a); got != "result 1" || at != first {
		t.Errorf("within the minute: %s of %s", got, at)
	}
	if got, _ := ask(Target{"p", "b"}); got != "result 2" {
		t.Errorf("another target: %s", got)
	}
	c.add(1)
	if got, at := ask(a); got != "result 3" || at != c.Now() {
		t.Errorf("after the minute: %s of %s", got, at)
	}
}

func TestReady(t *testing.T) {
	c := newClock()
	lost := errors.New("lookup: no such host")
	for _, tc := range []struct {
		name     string
		models   []*Model
		down     []Target
		lost     bool
		all, any []string
	}{
		{name: "no models"},
		{name: "all up", models: []*Model{model("m", Target{"a", "1"})}},
		{name: "one of two targets down", models: []*Model{model("m", Target{"a", "1"}, Target{"b", "2"})}, down: []Target{{"a", "1"}}},
		{
			name: "one of two models down", models: []*Model{model("m", Target{"a", "1"}), model("n", Target{"b", "2"})}, down: []Target{{"a", "1"}},
			all: []string{"model m: no healthy target"},
		},
		{
			name: "all down", models: []*Model{model("m", Target{"a", "1"})}, down: []Target{{"a", "1"}},
			all: []string{"model m: no healthy target"}, any: []string{"model m: no healthy target"},
		},
		{
			name: "a provider that does not resolve", lost: true, models: []*Model{model("m", Target{"a", "1"}), model("n", Target{"b", "2"})},
			all: []string{"provider b: its address does not resolve", "model n: no healthy target"},
		},
		{name: "a fallback that does not resolve", lost: true, models: []*Model{model("m", Target{"a", "1"}, Target{"b", "2"})}, all: []string{"provider b: its address does not resolve"}},
		{
			name: "no models and a provider that does not resolve", lost: true,
			all: []string{"provider b: its address does not resolve"}, any: []string{"provider b: its address does not resolve"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &fake{}
			if tc.lost {
				b.probe = lost
			}
			g, err := New(Config{Providers: map[string]Provider{"a": &fake{}, "b": b}, Models: tc.models, Health: NewHealth(c), Clock: c})
			if err != nil {
				t.Fatal(err)
			}
			for _, target := range tc.down {
				for range maxFailures {
					g.Health.Report(target, false)
				}
			}
			if diff := cmp.Diff(tc.all, g.Ready(context.Background(), false)); diff != "" {
				t.Errorf("all (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tc.any, g.Ready(context.Background(), true)); diff != "" {
				t.Errorf("any (-want +got)\n%s", diff)
			}
		})
	}
}
