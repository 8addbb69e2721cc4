package queue

import (
	"slices"
	"time"
)

// flow is what one bearer has waiting, in the order in which it came.
type flow struct {
	name    string
	tickets []*Ticket
	class   Class // of the first ticket
	tag     int64 // the round of class in which it is served next
	served  time.Time
}

// order decides who is next.
//
// Between classes the higher goes first, within one the bearers take turns, and
// within a bearer it is first come, first served. Taking turns is start-time
// fair queueing with equal weights (Goyal, Vin and Cheng, 1996): a bearer's
// tag counts its rounds, the lowest tag is served, and who comes anew starts in
// the round of the one served last, so that it has neither saved up turns nor
// missed any.
//
// A bearer that is passed over rises by a class for every age that it waits. What
// ages is the bearer since it was served last, not the ticket: else the backlog
// of a busy bearer would grow old together and go before everybody new.
type order struct {
	flows map[string]*flow
	n     int
	next  uint64

	// round is the tag that each class has reached.
	round [classes]int64
}

// add puts t into its bearer's line, by its arrival.
func (o *order) add(t *Ticket) {
	f := o.flows[t.name]
	if f == nil {
		o.forget(t.limit)
		f = &flow{name: t.name}
		o.flows[t.name] = f
	}
	o.next++
	t.seq, t.flow = o.next, f
	at := len(f.tickets)
	for at > 0 && t.arrived.Before(f.tickets[at-1].arrived) {
		at--
	}
	f.tickets = slices.Insert(f.tickets, at, t)
	o.n++
	o.begin(f, len(f.tickets) == 1)
}

// begin brings f's tag into the class of its first ticket.
func (o *order) begin(f *flow, anew bool) {
	if len(f.tickets) == 0 {
		return
	}
	class := f.tickets[0].class
	switch {
	case class != f.class:
		f.class, f.tag = class, o.round[class.index()]
	case anew:
		f.tag = max(f.tag, o.round[class.index()])
	}
}

// remove takes t out; served says that it got what it waited for.
func (o *order) remove(t *Ticket, served bool, now time.Time) {
	f := t.flow
	if served {
		round := &o.round[f.class.index()]
		*round = max(*round, f.tag)
		f.tag++
		f.served = now
	}
	at := slices.Index(f.tickets, t)
	f.tickets = slices.Delete(f.tickets, at, at+1)
	o.n--
	o.begin(f, false)
	if o.n == 0 {
		clear(o.flows) // nobody is owed anything
	}
}

// forget drops bearers that have nothing waiting and no turn to sit out, and all that
// have nothing waiting when there are many.
func (o *order) forget(limit int) {
	many := len(o.flows) > 2*limit
	for name, f := range o.flows {
		if len(f.tickets) == 0 && (many || f.tag <= o.round[f.class.index()]) {
			delete(o.flows, name)
		}
	}
}

// level is f's class as it counts now; since is when it began to wait.
func (f *flow) level(now time.Time) (level int, since time.Time) {
	first := f.tickets[0]
	since = first.arrived
	if f.served.After(since) {
		since = f.served
	}
	level = int(f.class)
	if first.age > 0 {
		level -= int(now.Sub(since) / first.age)
	}
	return level, since
}

// first is who is next; nil when nobody waits. It looks at every bearer: lines are
// bounded and short.
func (o *order) first(now time.Time) *Ticket {
	type candidate struct {
		flow  *flow
		level int
		since time.Time
	}
	var best [classes]candidate
	for _, f := range o.flows {
		if len(f.tickets) == 0 {
			continue
		}
		level, since := f.level(now)
		c := &best[f.class.index()]
		switch {
		case c.flow == nil || level < c.level:
		case level > c.level || f.tag > c.flow.tag:
			continue
		case f.tag == c.flow.tag && f.tickets[0].seq > c.flow.tickets[0].seq:
			continue
		}
		*c = candidate{f, level, since}
	}
	// Tags of different classes cannot be compared; waits can.
	var win *candidate
	for i := range best {
		c := &best[i]
		if c.flow != nil && (win == nil || c.level < win.level || c.level == win.level && c.since.Before(win.since)) {
			win = c
		}
	}
	if win == nil {
		return nil
	}
	return win.flow.tickets[0]
}

// position is the place at which a ticket of name and class would wait: how many are
// served before it at most, and one.
func (o *order) position(name string, class Class) int {
	own := 0
	if f := o.flows[name]; f != nil {
		own = len(f.tickets)
	}
	ahead := own
	for _, f := range o.flows {
		switch {
		case f.name == name || len(f.tickets) == 0 || f.class > class:
		case f.class < class:
			ahead += len(f.tickets)
		default:
			ahead += min(len(f.tickets), own+1)
		}
	}
	return ahead + 1
}

// victim is who makes room in a full line for a ticket of name and class; nil
// when that one has to go. It is the last of the lowest class's longest line;
// within a class only if that bearer still has no less than the newcomer
// afterwards, so that one bearer cannot fill the line for all. asker stays: it
// may be served at this moment.
func (o *order) victim(name string, class Class, asker *Ticket) *Ticket {
	var longest *flow
	for _, f := range o.flows {
		n := len(f.tickets)
		if n == 0 || n == 1 && f.tickets[0] == asker {
			continue
		}
		if longest == nil || f.class > longest.class || f.class == longest.class && (n > len(longest.tickets) ||
			n == len(longest.tickets) && f.tickets[n-1].seq > longest.tickets[len(longest.tickets)-1].seq) {
			longest = f
		}
	}
	if longest == nil || longest.class < class {
		return nil
	}
	if longest.class == class {
		own := 0
		if f := o.flows[name]; f != nil {
			own = len(f.tickets)
		}
		if longest.name == name || len(longest.tickets) <= own+1 {
			return nil
		}
	}
	last := len(longest.tickets) - 1
	if longest.tickets[last] == asker {
		last--
	}
	return longest.tickets[last]
}
