package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFair holds that bearers with something waiting are served in turns,
// however much one of them throws in, and each in its own order.
func TestFair(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		bearers := 2 + random.IntN(8)
		waiting := map[string]int{}
		served := map[string]int{}
		next := map[string]int{}
		come := func(name string, n int) {
			for range n {
				if _, err := w.join(next[name], Request{Bearer: name, Age: time.Hour, Length: 10_000}); err != nil {
					t.Fatal(err)
				}
				next[name]++
				waiting[name]++
			}
		}
		come("busy", 200)
		for i := range bearers {
			come(fmt.Sprint(i), 20+random.IntN(20))
		}
		for len(w.served) < 20*(bearers+1) {
			if random.IntN(3) == 0 {
				come("busy", random.IntN(5))
			}
			w.free(1)
			g := w.served[len(w.served)-1]
			if g.number != served[g.name] {
				t.Fatalf("seed %d: %s's number %d was served, want %d", seed, g.name, g.number, served[g.name])
			}
			served[g.name]++
			waiting[g.name]--
			least, most := 1<<30, 0
			for name := range waiting {
				least, most = min(least, served[name]), max(most, served[name])
			}
			if most-least > 1 {
				t.Fatalf("seed %d: served %v", seed, served)
			}
		}
	}
}

// TestNewcomer holds that who comes late has neither saved up turns nor to make
// up for any, and that who always has one waiting is served no more often for
// it.
func TestNewcomer(t *testing.T) {
	w := newWorld(t)
	w.come("a", Normal, 50)
	w.come("b", Normal, 50)
	w.free(20)
	w.served = nil
	w.come("late", Normal, 50)
	w.free(30)
	count := map[string]int{}
	for _, name := range w.names() {
		count[name]++
	}
	if count["late"] < 9 || count["late"] > 11 {
		t.Errorf("%v", count)
	}
	w = newWorld(t)
	w.come("backlog", Normal, 100)
	for range 30 {
		w.come("one", Normal, 1)
		w.free(2)
	}
	count = map[string]int{}
	for _, name := range w.names() {
		count[name]++
	}
	if count["one"] < 29 || count["backlog"] < 29 {
		t.Errorf("%v", count)
	}
}

func TestClasses(t *testing.T) {
	w := newWorld(t)
	for _, class := range []Class{Batch, Low, Normal, High, Critical} {
		w.come(class.String(), class, 2)
	}
	w.free(10)
	want := "critical critical high high normal normal low low batch batch"
	if got := strings.Join(w.names(), " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestClassGoesWithItsTicket holds that what else a bearer has waiting does not go
// before others because one of its tickets did.
func TestClassGoesWithItsTicket(t *testing.T) {
	w := newWorld(t)
	w.come("a", Critical, 1)
	w.come("a", Batch, 2)
	w.come("b", Normal, 2)
	w.come("c", Critical, 1)
	w.free(6)
	if got := strings.Join(w.names(), " "); got != "a c b b a a" {
		t.Error(got)
	}
}

// TestLeavingIsNoTurn holds that a bearer whose clients leave has not had its turn.
func TestLeavingIsNoTurn(t *testing.T) {
	w := newWorld(t)
	w.come("a", Normal, 3)
	w.come("b", Normal, 2)
	for range 2 {
		left := w.waiting[0]
		w.gone(left)
		left.Leave(0)
		w.run()
	}
	w.free(3)
	if got := strings.Join(w.names(), " "); got != "a b b" {
		t.Error(got)
	}
}

// TestAgeing holds that no class is starved, and that ageing does not put the
// backlog of a busy bearer before everybody new.
func TestAgeing(t *testing.T) {
	const age = time.Second
	w := newWorld(t)
	join := func(bearer string, class Class) {
		if _, err := w.join(0, Request{Bearer: bearer, Class: class, Age: age, Length: 10_000}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		join("batch", Batch)
	}
	for range 300 {
		join("critical", Critical)
	}
	for range 300 {
		w.clock.advance(100*time.Millisecond, w.run)
		w.free(1)
	}
	count := map[string]int{}
	for _, name := range w.names() {
		count[name]++
	}
	// In 30 s one rises by four classes in four, again and again.
	if count["batch"] < 5 || count["batch"] > 8 {
		t.Errorf("%v", count)
	}

	w = newWorld(t)
	for range 1000 {
		join("busy", Normal)
	}
	for range 30 {
		w.clock.advance(100*time.Millisecond, w.run)
		w.free(1)
	}
	w.served = nil
	join("new", Normal)
	w.clock.advance(100*time.Millisecond, w.run)
	w.free(2)
	if !cmp.Equal(w.names(), []string{"busy", "new"}) && !cmp.Equal(w.names(), []string{"new", "busy"}) {
		t.Errorf("served %v", w.names())
	}
}

func TestFull(t *testing.T) {
	w := newWorld(t)
	join := func(bearer string, class Class) error {
		_, err := w.join(0, Request{Bearer: bearer, Class: class, Length: 4})
		return err
	}
	wantPushed := func(names ...string) {
		t.Helper()
		var got []string
		for _, g := range w.pushed {
			got = append(got, g.name)
		}
		if diff := cmp.Diff(names, got); diff != "" {
			t.Error(diff)
		}
		w.pushed = nil
	}
	for range 4 {
		if err := join("busy", Normal); err != nil {
			t.Fatal(err)
		}
	}
	if err := join("busy", Normal); !errors.Is(err, ErrFull) {
		t.Error("a fifth has got a place", err)
	}
	if err := join("batch", Batch); !errors.Is(err, ErrFull) {
		t.Error("a lower class has got a place", err)
	}
	if err := join("other", Normal); err != nil {
		t.Error("a busy bearer has the queue for itself", err)
	}
	wantPushed("busy")
	if err := join("other", Normal); err != nil {
		t.Error(err)
	}
	wantPushed("busy")
	if err := join("other", Normal); !errors.Is(err, ErrFull) {
		t.Error("the other has more than its half", err)
	}
	if err := join("boss", High); err != nil {
		t.Error(err)
	}
	wantPushed("other") // the later of two lines of the same length
	w.free(4)
	if got := strings.Join(w.names(), " "); got != "boss busy other busy" {
		t.Errorf("served %s", got)
	}
}

// TestAskerStays holds that who is being served is not pushed out.
func TestAskerStays(t *testing.T) {
	s := NewSet(&clock{})
	first, _, err := s.Join(thing, Request{Bearer: "a", Class: Batch, Length: 1})
	if err != nil {
		t.Fatal(err)
	}
	<-first.Turn()
	if _, _, err := s.Join(thing, Request{Bearer: "b", Class: Critical, Length: 1}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	first.Stay(0)
	second, _, err := s.Join(thing, Request{Bearer: "b", Class: Critical, Length: 1})
	if err != nil {
		t.Fatal(err)
	}
	<-first.Out()
	<-second.Turn()
	first.Leave(0) // is nothing
	second.Admitted()
	if s.Waiting() != 0 || s.Busy(thing) {
		t.Errorf("%d wait", s.Waiting())
	}
}

func TestPosition(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		bearer string
		class  Class
		want   int
	}{
		{"a", Normal, 1},
		{"a", Normal, 2},
		{"a", Normal, 3},
		{"b", Normal, 2}, // after the first of a
		{"c", High, 1},
		{"b", Normal, 5}, // c, a, b, a
		{"d", Batch, 7},
	} {
		g, err := w.join(0, Request{Bearer: c.bearer, Class: c.class})
		if err != nil || g.position != c.want {
			t.Errorf("%s (%s) is at %d, want %d: %v", c.bearer, c.class, g.position, c.want, err)
		}
	}
}

// TestWokenWhileAsking holds that room that comes free while somebody is told
// that there is none is not lost.
func TestWokenWhileAsking(t *testing.T) {
	s := NewSet(&clock{})
	ticket, _, _ := s.Join(thing, Request{Bearer: "a"})
	<-ticket.Turn()
	s.Wake(thing)
	ticket.Stay(time.Hour)
	select {
	case <-ticket.Turn():
	default:
		t.Error("the wake-up is lost")
	}
	ticket.Leave(0)
}

// TestPace holds that a queue of any length asks at a bounded rate when nobody
// wakes it, and soon after room came free elsewhere.
func TestPace(t *testing.T) {
	w := newWorld(t)
	w.come("a", Normal, 500)
	w.come("b", Normal, 500)
	w.asks = 0
	w.clock.advance(time.Minute, w.run)
	if w.asks < 100 || w.asks > 200 {
		t.Errorf("%d asks in a minute", w.asks)
	}
	w.rooms = 700
	w.clock.advance(maxPace, w.run)
	if len(w.served) != 700 {
		t.Errorf("%d served", len(w.served))
	}
}

// TestAsked holds that who knows that there is no room does not ask again at
// once, but soon, since room may have come free before it joined.
func TestAsked(t *testing.T) {
	w := newWorld(t)
	if _, err := w.join(0, Request{Bearer: "a", Asked: true, Wait: time.Hour}); err != nil || w.asks != 0 {
		t.Error(err, w.asks)
	}
	w.rooms = 1
	w.clock.advance(Pace, w.run)
	if len(w.served) != 1 {
		t.Error("not served")
	}
	if _, err := w.join(0, Request{Bearer: "a", Asked: true, Wait: 3 * time.Millisecond}); err != nil {
		t.Error(err)
	}
	w.rooms = 1
	w.clock.advance(3*time.Millisecond, w.run)
	if len(w.served) != 2 {
		t.Error("not served when room was due")
	}
}

// TestHistories runs random histories, each to its end, and holds what is
// always true: one asks at a time, somebody always will, nobody is forgotten,
// and within a bearer none is served out of order. See world.run.
func TestHistories(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(t)
		came, left := map[string]int{}, 0
		last := map[string]int{}
		checked := 0
		for range 200 {
			switch random.IntN(6) {
			case 0, 1:
				name := fmt.Sprint(random.IntN(5))
				class := Critical + Class(name[0]-'0')
				_, err := w.join(came[name], Request{
					Bearer: name, Class: class, Age: time.Second, Length: 1 + random.IntN(12),
					Asked: random.IntN(2) == 0, Wait: time.Duration(random.IntN(2000)) * time.Millisecond,
				})
				if err == nil {
					came[name]++
				}
			case 2:
				w.free(random.IntN(3))
			case 3:
				w.clock.advance(time.Duration(random.IntN(3000))*time.Millisecond, w.run)
			case 4:
				if len(w.waiting) > 0 {
					g := w.waiting[random.IntN(len(w.waiting))]
					w.gone(g)
					left++
					g.Leave(time.Duration(random.IntN(2)) * Pace)
					w.run()
				}
			case 5:
				w.rooms = 0
			}
			for ; checked < len(w.served); checked++ {
				g := w.served[checked]
				if before, ok := last[g.name]; ok && g.number <= before {
					t.Fatalf("seed %d: %s's %d after %d", seed, g.name, g.number, before)
				}
				last[g.name] = g.number
			}
		}
		w.rooms = 1000
		w.clock.advance(time.Minute, w.run)
		total := 0
		for _, n := range came {
			total += n
		}
		if len(w.waiting) != 0 || len(w.served)+len(w.pushed)+left != total {
			t.Fatalf("seed %d: %d came, %d served, %d pushed out, %d left, %d wait", seed, total, len(w.served), len(w.pushed), left, len(w.waiting))
		}
	}
}

// TestRace lets many wait for three rooms at once, by the clock on the wall.
func TestRace(t *testing.T) {
	s := NewSet(System{})
	var inside atomic.Int64
	enter := func() bool {
		if inside.Add(1) <= 3 {
			return true
		}
		inside.Add(-1)
		return false
	}
	var all sync.WaitGroup
	var served atomic.Int64
	for i := range 200 {
		all.Go(func() {
			ticket, _, err := s.Join(thing, Request{Bearer: fmt.Sprint(i % 7), Class: Class(i%5 - 2), Arrived: time.Now(), Age: time.Second, Length: 200})
			if err != nil {
				t.Error(err)
				return
			}
			for {
				<-ticket.Turn()
				if enter() {
					break
				}
				ticket.Stay(0)
			}
			ticket.Admitted()
			served.Add(1)
			inside.Add(-1)
			s.Wake(thing)
		})
	}
	all.Wait()
	if served.Load() != 200 || s.Waiting() != 0 || s.Busy(thing) {
		t.Errorf("%d served, %d wait", served.Load(), s.Waiting())
	}
}

// TestForgets holds that bearers who are gone are forgotten while the queue never
// is empty.
func TestForgets(t *testing.T) {
	w := newWorld(t)
	if _, err := w.join(0, Request{Bearer: "stays", Class: Batch}); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		if _, err := w.join(0, Request{Bearer: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		w.free(1)
	}
	q, _ := w.set.queues.Load(thing)
	if n := len(q.(*Queue).order.flows); n > 2*DefaultLength+2 {
		t.Errorf("%d bearers are remembered", n)
	}
}

func TestParseClass(t *testing.T) {
	for _, word := range Classes {
		if class, err := ParseClass(word); err != nil || class.String() != word {
			t.Errorf("%s: %s, %v", word, class, err)
		}
	}
	if class, err := ParseClass(""); class != Normal || err != nil {
		t.Error(class, err)
	}
	if _, err := ParseClass("hihg"); err == nil || !strings.Contains(err.Error(), "did you mean 'high'?") {
		t.Error(err)
	}
}
