package queue

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// clock moves only when told to, and runs what is due on its way.
type clock struct {
	now    time.Time
	timers []*timer
}

type timer struct {
	at time.Time
	f  func()
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) AfterFunc(d time.Duration, f func()) func() bool {
	t := &timer{c.now.Add(d), f}
	c.timers = append(c.timers, t)
	return func() bool {
		n := len(c.timers)
		c.timers = slices.DeleteFunc(c.timers, func(other *timer) bool { return other == t })
		return len(c.timers) < n
	}
}

// advance moves time by d; after every timer on the way, then is called.
func (c *clock) advance(d time.Duration, then func()) {
	end := c.now.Add(d)
	for len(c.timers) > 0 {
		first := slices.MinFunc(c.timers, func(a, b *timer) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
		if first.at.After(end) {
			break
		}
		c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool { return t == first })
		c.now = first.at
		first.f()
		then()
	}
	c.now = end
}

// world is one queue for rooms that its tests make.
type world struct {
	tb      testing.TB
	clock   *clock
	set     *Set
	waiting []*guest
	rooms   int
	asks    int
	served  []*guest
	pushed  []*guest
}

type guest struct {
	*Ticket
	number, position int
}

const thing = "thing"

func newWorld(tb testing.TB) *world {
	c := &clock{now: time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)}
	return &world{tb: tb, clock: c, set: NewSet(c)}
}

// join lets a ticket of bearer come now.
func (w *world) join(number int, r Request) (*guest, error) {
	if r.Arrived.IsZero() {
		r.Arrived = w.clock.now
	}
	t, position, err := w.set.Join(thing, r)
	if err != nil {
		return nil, err
	}
	g := &guest{t, number, position}
	w.waiting = append(w.waiting, g)
	w.run()
	return g, nil
}

// come is join for those who must not be refused.
func (w *world) come(bearer string, class Class, n int) {
	w.tb.Helper()
	for i := range n {
		if _, err := w.join(i, Request{Bearer: bearer, Class: class, Age: time.Hour, Length: 10_000}); err != nil {
			w.tb.Fatal(err)
		}
	}
}

// run lets everybody who has the turn ask, until nobody has. It holds that no two
// have it at once.
func (w *world) run() {
	w.tb.Helper()
	for {
		var asking *guest
		for _, g := range w.waiting {
			select {
			case <-g.Turn():
				if asking != nil {
					w.tb.Fatalf("%s and %s have the turn", asking.name, g.name)
				}
				asking = g
			default:
			}
		}
		w.waiting = slices.DeleteFunc(w.waiting, func(g *guest) bool {
			select {
			case <-g.Out():
				w.pushed = append(w.pushed, g)
				return true
			default:
				return false
			}
		})
		if asking == nil {
			break
		}
		w.asks++
		if w.rooms == 0 {
			asking.Stay(0)
			continue
		}
		w.rooms--
		w.gone(asking)
		w.served = append(w.served, asking)
		asking.Admitted()
	}
	if q, ok := w.set.queues.Load(thing); ok {
		if q := q.(*Queue); q.asker != nil || q.stop == nil {
			w.tb.Fatal("somebody waits, and nothing will ever give a turn")
		}
	} else if len(w.waiting) > 0 {
		w.tb.Fatal("somebody waits in a queue that is gone")
	}
	if int(w.set.Waiting()) != len(w.waiting) {
		w.tb.Fatalf("%d are said to wait, %d do", w.set.Waiting(), len(w.waiting))
	}
}

func (w *world) gone(g *guest) {
	w.waiting = slices.DeleteFunc(w.waiting, func(other *guest) bool { return other == g })
}

// free makes n rooms, one after the other.
func (w *world) free(n int) {
	w.tb.Helper()
	for range n {
		w.rooms++
		w.set.Wake(thing)
		w.run()
	}
}

// names are the bearers served so far.
func (w *world) names() (names []string) {
	for _, g := range w.served {
		names = append(names, g.name)
	}
	return names
}
