package handlers

import (
	"bytes"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// lead is what a call has that others may follow, or that is to be kept: a tape of
// what its client is shown.
type lead struct {
	call   *call
	flight *flight.Flight
	far    atomic.Pointer[claim] // for those at other instances; nil where there are none

	// played is closed when all on the tape has been written to the client by the
	// goroutine that does so once somebody follows; nil before that.
	played chan struct{}

	// behind says that the client was too slow for what is kept of the tape: what it
	// has got must not look complete.
	behind bool

	// opened says that followers were told of the answer, by head; finished that there
	// is no more of it.
	opened, finished bool
	head             flight.Head
}

// landing is what followers learn of an answer at its end.
type landing struct {
	// usage is what it used as far as its upstream has said, used that with what was
	// counted where it has not, and cost what that cost; -1 when that is not known.
	usage, used wire.Usage
	cost        int64

	// seen is what its stream has told, and told says that the upstream's own
	// error event is on the tape.
	seen wire.Seen
	told bool

	// kept is an answer that the leader has found in place of its own call.
	kept *recalled
}

// takeLead makes the call one that others may follow.
func (c *call) takeLead(f *flight.Flight) { c.led.Store(&lead{call: c, flight: f}) }

// goAlone sends those away who follow: what happens to the call from now on is its
// own client's business. Its answer may be kept all the same.
func (c *call) goAlone() {
	l := c.led.Load()
	c.shared = true
	l.flight.Disperse()
	l.endFar(false)
	c.takeLead(c.proxy.kept.Flights.Alone(c.keeping.key, c.keeping.want))
}

// announceFlight tells followers that the answer is about to be shown.
func (c *call) announceFlight() {
	l := c.led.Load()
	if l == nil || l.opened {
		return // an answer that goes on elsewhere is announced once
	}
	if c.x.Downgraded != "" || c.allowance != nil {
		c.goAlone() // others are under other limits
		return
	}
	l.opened = true
	l.head = flight.Head{Provider: c.x.Target.Provider, Model: c.x.Target.Model, Attempts: c.x.Attempts}
	l.flight.Open(&l.head)
	l.tellJSON(recordHead, &l.head)
}

// tape puts a piece of the answer on the tape, and reports whether it is shown to
// the client from there.
func (c *call) tape(piece []byte, kind flight.Kind) (played bool) {
	l := c.led.Load()
	if l == nil {
		return false
	}
	l.look()
	l.put(piece, kind)
	return l.played != nil
}

// put is tape for pieces of which it has been decided who shows them.
func (l *lead) put(piece []byte, kind flight.Kind) {
	l.flight.Append(piece, kind)
	switch {
	case kind == flight.Last:
		l.tell(recordLast, piece)
	case kind == 0 && len(piece) > 0:
		l.tell(recordPiece, piece)
	}
}

// tapeWhole puts an answer on the tape that is no stream, and keeps it.
func (c *call) tapeWhole(a *attempt, answer []byte) {
	if c.led.Load() == nil {
		return
	}
	c.announceFlight()
	l := c.led.Load()
	kept := c.keepWhole(l, a, answer) // from then on nobody joins
	if l.far.Load() != nil || l.flight.Followed() {
		answer = bytes.Clone(answer) // which they read when the call is over
		l.flight.Put(answer, 0)
		l.tell(recordPiece, answer)
	}
	if kept {
		c.out.prepare(func() { c.showMissed(true) })
	}
	l.finish(nil, nil)
}

// look has the client written to by another goroutine when somebody follows, so
// that it cannot slow them down.
func (l *lead) look() {
	if l.played != nil || !l.flight.Followed() {
		return
	}
	l.played = make(chan struct{})
	go l.play(l.flight.Play())
}

// play writes to the leader's client what is put on the tape.
func (l *lead) play(r *flight.Reader) {
	c := l.call
	defer close(l.played)
	defer r.Leave()
	defer func() {
		if p := recover(); p != nil && !c.handsOver() {
			c.cancel(crashed(p))
		}
	}()
	_ = c.out.write(nil, true) // what has not been pushed out yet; an error shows again
	for {
		part, err := r.Next(c.ctx.Done())
		if len(part.Data) > 0 {
			if c.out.event(time.Now(), part.Data, !part.More) != nil && !c.handsOver() {
				c.cancel(gateway.ErrClientGone)
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, flight.ErrBehind):
			l.behind = true
			if !c.handsOver() {
				c.cancel(gateway.ErrClientGone)
			}
			return
		default:
			return
		}
	}
}

// writes runs write, which shows the client something. When it fails, the call
// goes on if there are others for whom it does.
func (c *call) writes(write func() error) error {
	l := c.led.Load()
	if l != nil {
		l.flight.Writing(time.Now())
		defer l.flight.Writing(time.Time{})
	}
	if err := write(); err != nil && !c.handsOver() {
		return err
	}
	return nil
}

// handsOver reports whether the call goes on for others although its own client
// is gone.
func (c *call) handsOver() bool {
	l := c.led.Load()
	if l == nil || !l.flight.Followed() && !l.staysForFleet() || !l.flight.LeaderLeaves() {
		return false
	}
	c.out.silence()
	c.x.End(func(o *gateway.Outcome) { o.ClientGone, o.HandedOver = true, true })
	return true
}

// land ends the flight of a call that is over; err is why it failed. It returns why
// its own client did not get all.
func (c *call) land(err error) error {
	l := c.led.Load()
	if l == nil {
		return err
	}
	l.finish(err, nil)
	if l.played != nil {
		<-l.played
	}
	c.led.Store(nil)
	if l.behind && err == nil {
		c.x.End(func(o *gateway.Outcome) { o.Stalled = true })
		return gateway.ErrClientGone
	}
	return err
}

// finish tells all who follow that there is no more, and what has been found in place
// of the call's own answer; nil for nothing. Later calls do nothing.
func (l *lead) finish(err error, kept *recalled) {
	if l.finished {
		return
	}
	l.finished = true
	l.flight.Close()
	followed := l.flight.Followed()
	if !followed && l.far.Load() == nil {
		l.flight.Finish(err, nil)
		return
	}
	l.call.shared = true
	o := &landing{kept: kept}
	if kept == nil {
		o = l.call.landing()
	}
	switch {
	case l.far.Load() == nil:
	case err == nil:
		l.tellJSON(recordEnd, farEnd{Usage: o.usage, Used: o.used, Cost: o.cost, ID: o.seen.ID, Model: o.seen.Model, Created: o.seen.Created})
	case l.opened:
		e := gateway.AsError(err)
		l.tellJSON(recordFailed, farFailure{Kind: e.Kind, Phase: e.Phase, Message: e.Message, Told: o.told})
	}
	l.flight.Finish(err, o)
	l.endFar(err == nil)
}

// landWith hands followers a kept answer.
func (c *call) landWith(hit *recalled) {
	if l := c.led.Swap(nil); l != nil {
		l.finish(flight.ErrAlone, hit)
	}
}

// landing is what there is to tell at the end.
func (c *call) landing() *landing {
	if c.followed != nil {
		o := *c.followed
		return &o
	}
	o := &landing{seen: c.x.Seen(), cost: -1}
	o.usage = o.seen.Usage
	o.used = o.usage
	if a := c.current; a != nil {
		o.told = a.shown
		if !o.seen.Reported {
			o.used = a.told.Used()
		}
		if a.conversation != nil && a.conversation.encoder != nil {
			wire.Identify(a.conversation.encoder, &o.seen)
		}
	}
	if nano, ok := c.x.CostOf(o.used); ok {
		o.cost = nano
	}
	return o
}

// shareable reports whether what the upstream says to one request it will say to
// each that is the same.
func shareable(err error) bool {
	r := asRefusal(err)
	if r == nil || r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError {
		return false
	}
	switch r.failure.Kind {
	case wire.KindInvalid, wire.KindContextLength, wire.KindPolicy:
		return true
	default:
		return false
	}
}
