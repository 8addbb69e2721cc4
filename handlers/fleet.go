package handlers

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// claimTime is how long an instance that has died keeps others from asking for
// the answer that it was getting.
const claimTime = 3 * time.Second

// errFleetLost breaks off an answer of which the client has seen a part.
var errFleetLost = &gateway.Error{Kind: wire.KindUpstream, Phase: "coalesced", Message: "the gateway that was getting the answer is gone"}

// claim is a flight of the fleet's that the call makes.
type claim struct{ cache.Flight }

// The records of a flight that instances share begin with one of these; the rest
// is JSON or a piece of the answer.
const (
	recordHead  = 'h'
	recordPiece = 'p'
	recordLast  = 'l'
	recordEnd   = 'e'

	// recordFailed is the last of an answer that has broken off.
	recordFailed = 'f'
)

// farEnd is what is told of an answer after it; before it, that is a flight.Head.
type (
	farEnd struct {
		Usage   wire.Usage `json:"u"`
		Used    wire.Usage `json:"n"`
		Cost    int64      `json:"c"`
		ID      string     `json:"i"`
		Model   string     `json:"m"`
		Created string     `json:"t"`
	}

	// farFailure is why there is no more; Told says that its client has been told,
	// in the upstream's words.
	farFailure struct {
		Kind    wire.Kind `json:"k"`
		Phase   string    `json:"p"`
		Message string    `json:"m"`
		Told    bool      `json:"t"`
	}
)

// tell appends a record for the other instances, if there are any.
func (l *lead) tell(kind byte, data []byte) {
	if far := l.far.Load(); far != nil {
		far.Append(append([]byte{kind}, data...))
	}
}

func (l *lead) tellJSON(kind byte, value any) {
	if l.far.Load() == nil {
		return
	}
	if data, err := json.Marshal(value); err == nil {
		l.tell(kind, data)
	}
}

// endFar gives the claim back; nobody waits for that.
func (l *lead) endFar(complete bool) {
	if far := l.far.Swap(nil); far != nil {
		go far.End(complete)
	}
}

// abroad is the answer to a request that another instance has asked for already.
type abroad struct {
	call *call
	head flight.Head
	next func() ([]byte, error, bool)
	stop func()
	told bool // the upstream's own error event was among the records
}

// followFleet finds out whether another instance is getting the call's answer,
// and waits until it begins to show it; nil when the call has to be made here, for
// the fleet then. Of those who have waited for one that comes to nothing, one makes
// the call and the others wait for that.
func (c *call) followFleet() shower {
	k, l := c.keeping, c.led.Load()
	remote := k.exact.answers.Remote
	if remote == nil || l == nil || !*k.exact.Coalesce || k.follows > 0 || k.asked.onlyIfCached {
		return nil
	}
	name := k.want.Operation.Name + " " + strconv.FormatBool(k.want.Stream) + " " + strconv.FormatBool(k.want.Usage)
	// Who asks after a purge must not follow what was asked before.
	purges := strconv.FormatUint(k.exact.answers.Marks.Newest(), 16)
	c.shared = true
	for tries := 0; ; tries++ {
		far, err := remote.Claim(c.ctx, cache.KeyOf("flight", name, k.want.Spelling, purges, k.key), claimTime)
		if err != nil {
			return nil
		}
		if far.Own() {
			l.far.Store(&claim{far})
			if tries > 0 && k.asked.looks() { // who was the next may be done by now
				if hit := c.consider(k.exact.answers.Fetch(c.ctx, k.key, k.scope)); hit != nil {
					c.landWith(hit)
					return hit
				}
			}
			return nil
		}
		if tries == maxFollows {
			return nil
		}
		c.attend()
		a := &abroad{call: c}
		a.next, a.stop = iter.Pull2(far.Follow(c.ctx, 0))
		record, err, ok := a.next()
		if ok && err == nil && len(record) > 0 && record[0] == recordHead && json.Unmarshal(record[1:], &a.head) == nil && c.mayUse(a.head.Provider, a.head.Model) {
			return a
		}
		if a.stop(); !errors.Is(err, cache.ErrLost) {
			return nil
		}
	}
}

// show passes on what the other instance shows its client, also to those who
// follow the call here.
func (a *abroad) show() error {
	defer a.stop()
	c := a.call
	if err := c.reserveKept(nil); err != nil {
		return err
	}
	c.out.prepare(func() { c.announceShared(&a.head) })
	c.led.Load().flight.Open(&a.head)
	if c.x.Stream {
		return a.play()
	}
	return a.whole()
}

// record returns the next piece of the answer, and the end without one.
func (a *abroad) record() (kind byte, data []byte, err error) {
	record, err, ok := a.next()
	switch {
	case !ok || err == nil && len(record) == 0:
		return 0, nil, errFleetLost // without its last record
	case err != nil:
		if cause := a.call.cause(); cause != nil {
			return 0, nil, cause
		}
		return 0, nil, errFleetLost
	case record[0] == recordFailed:
		var f farFailure
		if json.Unmarshal(record[1:], &f) != nil {
			return 0, nil, errFleetLost
		}
		a.told = f.Told
		return 0, nil, &gateway.Error{Kind: f.Kind, Phase: f.Phase, Message: f.Message}
	}
	return record[0], record[1:], nil
}

func (a *abroad) play() error {
	c := a.call
	c.out.openStream()
	var last []byte // held until the other instance has told what the client's metadata says
	for first := true; ; first = false {
		kind, data, err := a.record()
		switch {
		case err != nil:
			a.brokeOff()
			return err
		case kind == recordEnd:
			a.end(data)
			if err := a.last(last); err != nil {
				return err
			}
			return c.sent(c.out.endStream())
		case first:
			c.x.Update(func() { c.x.Timings.FirstToken = c.proxy.gateway.Now().Sub(c.x.Start) })
		}
		of := flight.Kind(0)
		if kind == recordLast {
			if c.wantsMetadata() {
				last = data
				continue
			}
			of = flight.Last
		}
		if c.tape(data, of) {
			continue
		}
		if err := a.send(data); err != nil {
			return err
		}
	}
}

// last shows the events that end the stream behind the client's metadata; without
// any, all has been shown.
func (a *abroad) last(events []byte) error {
	c := a.call
	if events == nil {
		return nil
	}
	l, at := c.led.Load(), c.terminator(events)
	meta := c.metadata(&c.followed.seen, 0, 0)
	// As of one's own streams: who joins in between must not take over the writing.
	l.look()
	l.put(events[:at], 0)
	l.put(meta, flight.Own)
	if l.put(events[at:], flight.Last); l.played != nil {
		return nil
	}
	return a.send(slices.Concat(events[:at], meta, events[at:]))
}

func (a *abroad) send(events []byte) error {
	c := a.call
	if err := c.writes(func() error { return c.out.event(time.Now(), events, true) }); err != nil {
		return gateway.ErrClientGone
	}
	return nil
}

// brokeOff finds out what the client has seen, for the event that tells it of the
// failure.
func (a *abroad) brokeOff() {
	c := a.call
	c.followed = &landing{seen: wire.Seen{Sequence: -1}, told: a.told, cost: -1}
	if l := c.led.Load(); l != nil {
		if body, ok := l.flight.Body(); ok {
			c.followed.seen = c.readBack(body)
		}
	}
}

func (a *abroad) whole() error {
	c := a.call
	var body []byte
	for {
		kind, data, err := a.record()
		if err != nil {
			return err
		}
		if kind == recordEnd {
			a.end(data)
			break
		}
		body = append(body, data...)
	}
	l := c.led.Load()
	l.flight.Append(body, 0) // not by tape: an answer that is no stream is written here
	l.finish(nil, nil)
	return c.showFree(c.followed.usage, body)
}

// end takes over what the other instance knows of the whole.
func (a *abroad) end(data []byte) {
	c := a.call
	e := farEnd{Cost: -1}
	_ = json.Unmarshal(data, &e) // of a newer version: nothing is known
	seen := wire.Seen{Usage: e.Usage, ID: e.ID, Model: e.Model, Created: e.Created, Sequence: -1}
	if e.Used.IsZero() {
		e.Used = e.Usage // of an older version
	}
	c.followed = &landing{usage: e.Usage, used: e.Used, cost: e.Cost, seen: seen}
	c.quota.free.learn(e.Used)
	c.x.Update(func() { c.x.Saved = max(e.Cost, 0) })
}
