package handlers

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// errLeaderEnded breaks off an answer whose call has ended for a reason that is
// none of the follower's.
var errLeaderEnded = &gateway.Error{Kind: wire.KindUpstream, Phase: "coalesced", Message: "the call that the answer was shared from has been ended"}

// follower is the answer to another request that asks for the same, as it is
// made.
type follower struct {
	call   *call
	reader *flight.Reader
	end    landing
}

// show passes on what the other call's client is shown. [flight.ErrAlone] says
// that nothing has been shown, and that the call has to be made after all.
func (f *follower) show() error {
	defer f.reader.Leave()
	c := f.call
	if err := c.reserveKept(nil); err != nil {
		return err
	}
	c.attend()
	head, err := f.reader.Opened(c.ctx.Done())
	if err != nil {
		return f.judge(err)
	}
	if !c.mayUse(head.Provider, head.Model) {
		return flight.ErrAlone
	}
	if !c.x.Stream {
		return f.whole(head)
	}
	return f.play(head)
}

// play passes a stream on.
func (f *follower) play(head *flight.Head) error {
	c := f.call
	for first := true; ; first = false {
		part, err := f.reader.Next(c.ctx.Done())
		if first {
			if err != nil && !errors.Is(err, io.EOF) {
				return f.judge(err) // nothing has been shown yet
			}
			c.out.prepare(func() { c.announceShared(head) })
			c.out.openStream()
		}
		if len(part.Data) > 0 || part.Last {
			if first {
				c.x.Update(func() { c.x.Timings.FirstToken = c.proxy.gateway.Now().Sub(c.x.Start) })
			}
			data := part.Data
			if part.Last && c.wantsMetadata() {
				if f.reader.Wait(c.ctx.Done()) != nil {
					return c.cause()
				}
				f.learn()
				data = f.withMetadata(data)
			}
			if c.out.event(time.Now(), data, !part.More) != nil {
				return gateway.ErrClientGone
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			f.learn()
			c.x.Update(func() { c.x.Saved = max(f.end.cost, 0) })
			return c.sent(c.out.endStream())
		case errors.Is(err, flight.ErrBehind):
			c.x.End(func(o *gateway.Outcome) { o.Stalled = true })
			return gateway.ErrClientGone
		case errors.Is(err, flight.ErrStopped):
			return c.cause()
		default:
			f.learn()
			c.followed = &f.end
			if gateway.CalledOff(err) || errors.Is(err, flight.ErrAlone) {
				err = errLeaderEnded // why is the leader's business
			}
			return err
		}
	}
}

// withMetadata puts the client's own metadata before the end of its stream.
func (f *follower) withMetadata(events []byte) []byte {
	c := f.call
	at := c.terminator(events)
	return slices.Concat(events[:at], c.metadata(&f.end.seen, 0, 0), events[at:])
}

// learn takes over what the leader knows of the whole.
func (f *follower) learn() {
	if o, ok := f.reader.Result().(*landing); ok {
		f.end = *o
		f.call.quota.free.learn(o.used)
	}
}

// whole waits for the end of the answer and shows it in the client's form.
func (f *follower) whole(head *flight.Head) error {
	c := f.call
	body, ok, err := f.reader.Whole(c.ctx.Done())
	if err != nil {
		return f.judge(err)
	}
	f.learn()
	if !ok {
		return flight.ErrAlone
	}
	return f.shown(head, body)
}

// shown shows the whole answer as if it had been kept.
func (f *follower) shown(head *flight.Head, body []byte) error {
	c, from := f.call, f.reader.Form()
	kept := &cache.Answer{Made: c.proxy.gateway.Now(), Usage: f.end.usage, Cost: f.end.cost, Form: cache.Form{Operation: from.Operation, Stream: from.Stream, Usage: from.Usage, Body: body}}
	said, err := c.convert(kept)
	if err != nil {
		return flight.ErrAlone
	}
	c.out.prepare(func() { c.announceShared(head) })
	c.x.Update(func() { c.x.Saved = max(f.end.cost, 0) })
	return c.showFree(f.end.usage, said.Body)
}

// judge decides what a flight that has shown nothing means to those who followed.
func (f *follower) judge(err error) error {
	switch {
	case errors.Is(err, flight.ErrStopped):
		return f.call.cause()
	case f.reader.Same(f.call.keeping.want) && shareable(err):
		return err
	}
	if f.learn(); f.end.kept != nil {
		if hit := f.call.takeOver(f.end.kept); hit != nil {
			f.call.releaseKept() // it takes its own room
			return hit.show()
		}
	}
	return flight.ErrAlone
}

// takeOver makes an answer that another call has found the present one's; nil if
// it may not have it.
func (c *call) takeOver(hit *recalled) *recalled {
	asked, terms := &c.keeping.asked, c.keeping.exact.terms()
	fits := asked.accepts(hit.hit.Age, hit.ttl, terms.Revalidate) ||
		hit.standsIn && asked.looks() && terms.State(hit.hit.Key, hit.hit.Age) != cache.Expired
	if !fits || !c.mayUse(hit.hit.Provider, hit.hit.Model) || hit.near > 0 && !c.wouldFind(hit) {
		return nil
	}
	own := *hit
	if own.call = c; !own.fit() {
		return nil
	}
	return &own
}
