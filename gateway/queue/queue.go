// Package queue lets those wait for room who found none: fair between
// bearers, by class, bounded, and without a herd. It does not know what room
// is. Of all who wait in one queue, one at a time has the turn: it asks whoever
// knows, and says what came of it. The next turn is given when that one got room, when
// [Set.Wake] says that room came free, or when it may have.
package queue

import (
	"errors"
	"sync"
	"time"
)

// ErrFull says that as many wait already as may, all of them before this one.
var ErrFull = errors.New("the queue is full")

// The pace at which a queue asks without having been woken: room may come free
// where nobody here can see it.
const (
	Pace    = 25 * time.Millisecond
	maxPace = 400 * time.Millisecond
)

// DefaultLength is how many wait in a queue at most.
const DefaultLength = 100

// Clock is the time and its timers; tests replace it.
type Clock interface {
	Now() time.Time

	// AfterFunc runs f after d unless stop is called before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (System) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// Request is what a ticket is asked for with.
type Request struct {
	// Bearer is whose turn it takes.
	Bearer string
	Class  Class

	// Arrived is when it came, which it keeps when it goes from one queue to
	// another.
	Arrived time.Time

	// Age is how long a bearer is passed over before it counts as one class
	// higher; 0 for never.
	Age time.Duration

	// Length is how many may wait; 0 for DefaultLength.
	Length int

	// Asked says that there was no room just now and none is expected for
	// Wait, so that it need not ask at once.
	Asked bool
	Wait  time.Duration
}

// Ticket is a place in a queue. It belongs to one goroutine, which must end it
// with Admitted or Leave.
type Ticket struct {
	queue   *Queue
	name    string
	class   Class
	arrived time.Time
	age     time.Duration
	limit   int

	seq  uint64
	flow *flow
	turn chan struct{}
	out  chan struct{}
	gone bool
}

// Turn tells when it is the ticket's turn to ask. After that it must call Stay,
// Admitted or Leave.
func (t *Ticket) Turn() <-chan struct{} { return t.turn }

// Out is closed when the ticket has lost its place to another.
func (t *Ticket) Out() <-chan struct{} { return t.out }

// Queue is the line for one thing. It is made by a Set.
type Queue struct {
	set *Set
	key string

	mu    sync.Mutex
	order order

	// asker has the turn; woken says that room came free while it asked.
	// last is who asked last and found none.
	asker, last *Ticket
	woken       bool

	pace  time.Duration
	due   time.Time // of the next turn, while a timer runs
	stop  func() bool
	timer uint64 // the running timer's number

	closed bool
}

// join adds a ticket; ok is false if the queue has been given up meanwhile.
func (q *Queue) join(r *Request) (t *Ticket, position int, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, 0, false, nil
	}
	now := q.set.clock.Now()
	limit := r.Length
	if limit <= 0 {
		limit = DefaultLength
	}
	if q.order.n >= limit {
		victim := q.order.victim(r.Bearer, r.Class, q.asker)
		if victim == nil {
			return nil, 0, true, ErrFull
		}
		q.drop(victim, false, now)
		close(victim.out)
	}
	position = q.order.position(r.Bearer, r.Class)
	t = &Ticket{
		queue: q, name: r.Bearer, class: r.Class, arrived: r.Arrived, age: r.Age, limit: limit,
		turn: make(chan struct{}, 1), out: make(chan struct{}),
	}
	q.order.add(t)
	q.set.waiting.Add(1)
	switch {
	case q.asker != nil:
	case r.Asked:
		q.last = t
		q.schedule(now, r.Wait)
	case q.stop == nil || q.order.first(now) == t:
		q.give(now)
	}
	return t, position, true, nil
}

// drop takes t out of the line.
func (q *Queue) drop(t *Ticket, served bool, now time.Time) {
	t.gone = true
	q.order.remove(t, served, now)
	q.set.waiting.Add(-1)
	if q.last == t {
		q.last = nil
	}
}

// give lets the next one ask.
func (q *Queue) give(now time.Time) {
	q.cancel()
	if q.asker != nil {
		return
	}
	if q.asker = q.order.first(now); q.asker != nil {
		q.woken = false
		q.asker.turn <- struct{}{}
	}
}

func (q *Queue) cancel() {
	if q.stop != nil {
		q.stop()
		q.stop = nil
	}
	q.timer++
}

// schedule gives the next turn in wait, or sooner, at the queue's pace.
func (q *Queue) schedule(now time.Time, wait time.Duration) {
	q.pace = min(max(2*q.pace, Pace), maxPace)
	if wait <= 0 || wait > q.pace {
		wait = q.pace
	}
	due := now.Add(wait)
	if q.stop != nil && !due.Before(q.due) {
		return
	}
	q.cancel()
	q.due = due
	number := q.timer
	q.stop = q.set.clock.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.timer == number {
			q.give(q.set.clock.Now())
		}
	})
}

// wake says that room may have come free.
func (q *Queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pace = 0
	if q.woken = q.asker != nil; !q.woken {
		q.give(q.set.clock.Now())
	}
}

// Stay keeps the place after a turn that found no room; wait is how long it is
// until there is some if nothing else happens, 0 if that is not known.
func (t *Ticket) Stay(wait time.Duration) {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.gone || q.asker != t {
		return
	}
	q.asker, q.last = nil, t
	now := q.set.clock.Now()
	if q.woken || q.order.first(now) != t {
		q.give(now) // room came free, or somebody came who goes before
		return
	}
	q.schedule(now, wait)
}

// Admitted gives the place up: room was found.
func (t *Ticket) Admitted() { t.end(true, 0) }

// Leave gives the place up without room. The next one asks after pause.
func (t *Ticket) Leave(pause time.Duration) { t.end(false, pause) }

func (t *Ticket) end(served bool, pause time.Duration) {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.gone {
		return
	}
	now := q.set.clock.Now()
	turn := q.asker == t || q.last == t
	if q.asker == t {
		q.asker = nil
	}
	q.drop(t, served, now)
	switch {
	case q.order.n == 0:
		q.cancel()
		q.closed = true
		q.set.queues.CompareAndDelete(q.key, q)
	case q.asker != nil || !turn:
	case pause > 0 && !q.woken:
		q.schedule(now, pause)
	default:
		q.pace = 0
		q.give(now)
	}
}
