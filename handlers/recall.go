package handlers

import (
	"errors"

	"github.com/weirproxy/weir/cache/flight"
	forms "github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// shower is an answer that costs nothing.
type shower interface {
	// show passes it on to the client, to its end; [flight.ErrAlone] says that it
	// has come to nothing, before anything was shown.
	show() error
}

// maxFollows is how many flights a call follows that come to nothing before it
// goes on by itself: in an outage each takes as long as its leader tries.
const maxFollows = 2

// errNotKept answers `only-if-cached` (RFC 9111, 5.2.1.7).
var errNotKept = &gateway.Error{Kind: wire.KindTimeout, Phase: "cache", NoRetry: true, Message: "no answer to this request is kept, and it wants no other (only-if-cached)"}

// supply gets the call's answer: a kept one, one that is being made for another,
// or else one of its own.
func (c *call) supply() error {
	for c.keeping != nil {
		known, err := c.recall()
		if err != nil {
			return err
		}
		if known == nil {
			break
		}
		if err := known.show(); !errors.Is(err, flight.ErrAlone) {
			return err
		}
		c.keeping.follows++
		c.keeping.began = c.proxy.gateway.Now()
		c.releaseKept()
	}
	answer, err := c.fetch()
	if err != nil {
		return c.standIn(err)
	}
	return answer.show()
}

// fetch pays for an answer. A call that limits refuse at once is over before anybody
// would have to hear of its client's leaving.
func (c *call) fetch() (answer, error) {
	if c.proxy.far {
		c.heed()
	}
	if err := c.afford(); err != nil {
		return nil, err
	}
	if c.absent() {
		return nil, gateway.ErrClientGone
	}
	c.heed()
	return c.dispatch()
}

// recall looks for an answer that need not be paid for; nil when there is none.
// Then the call leads a flight, and what it gets is kept.
func (c *call) recall() (shower, error) {
	k := c.keeping
	defer c.timeLookup()
	if k.asked.looks() {
		if hit := c.consider(k.exact.answers.Get(k.key, k.scope)); hit != nil {
			return hit, nil
		}
	}
	c.heed()
	follow := c.enterFlight()
	if follow != nil {
		return &follower{call: c, reader: follow}, nil
	}
	if k.asked.looks() {
		if hit := c.lookFurther(); hit != nil {
			c.landWith(hit)
			return hit, nil
		}
	}
	if k.asked.onlyIfCached {
		return nil, c.unpaid()
	}
	if far := c.followFleet(); far != nil {
		return far, nil
	}
	if k.asked.refresh && k.asked.keeps() {
		c.mean() // the new answer is for those who mean the same, too
	}
	c.missed()
	return nil, nil
}

// enterFlight joins a flight for the same answer. Without one it makes the call one
// that others can join, where that is allowed, and whose answer can be kept.
func (c *call) enterFlight() *flight.Reader {
	k, set := c.keeping, c.proxy.kept.Flights
	if !k.asked.keeps() { // also what others would share with it
		return nil
	}
	k.want.Spelling = forms.Spelling(k.want.Operation, c.x.Envelope.Body())
	switch {
	case c.out.left != nil, !*k.exact.Coalesce, k.follows >= maxFollows, k.asked.onlyIfCached:
		// Who may come back to a stream has one of its own.
		c.takeLead(set.Alone(k.key, k.want))
		return nil
	}
	f, follow := set.Enter(k.key, k.since, k.want, c.forsaken)
	if follow == nil {
		c.takeLead(f)
		return nil
	}
	c.shared = true
	return follow
}

// lookFurther asks what takes time: the fleet, and what other requests mean.
func (c *call) lookFurther() *recalled {
	k := c.keeping
	if hit := c.consider(k.exact.answers.Fetch(c.ctx, k.key, k.scope)); hit != nil {
		return hit
	}
	return c.lookAround()
}
