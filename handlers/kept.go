package handlers

import (
	"bytes"
	"strings"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/replay"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// recalled is a kept answer, in the client's form.
type recalled struct {
	call  *call
	hit   cache.Hit
	form  cache.Form
	state string        // one of gateway's: CacheHit, CacheStale, CacheSemantic
	ttl   time.Duration // for which it is fresh yet; negative: since when it is not
	near  float64       // how similar its request is, of a semantic hit

	// standsIn says that it serves only since no new answer can be had.
	standsIn bool
}

// show shows a kept answer.
func (r *recalled) show() error {
	c := r.call
	if err := c.reserveKept(r); err != nil {
		return err
	}
	c.x.Update(func() {
		c.x.Cache, c.x.Similarity, c.x.Saved = r.state, r.near, max(r.hit.Cost, 0)
		c.x.Target = r.target()
	})
	c.keeping.from = r
	c.countLookup(r.state)
	c.out.prepare(r.announce)
	if r.form.Stream {
		return r.stream()
	}
	return c.showWhole(r.form.Body)
}

// target is what gave the answer, in words of its own: the record that has them must
// not keep the answer from being freed.
func (r *recalled) target() gateway.Target {
	if own := r.call.target.Target; own.Provider == r.hit.Provider && own.Model == r.hit.Model {
		return own
	}
	return gateway.Target{Provider: strings.Clone(r.hit.Provider), Model: strings.Clone(r.hit.Model)}
}

// announce says where the answer comes from, and how old it is.
func (r *recalled) announce() {
	c := r.call
	t := newTexts()
	c.nameTarget()
	t.number(headerAttempts, int64(c.x.Attempts))
	if !r.form.Stream {
		c.appendFree(t, r.hit.Usage, len(r.form.Body))
	}
	if r.near > 0 {
		c.out.set(headerCache, appendSemanticHit(t, r.hit.Age, r.ttl, r.near))
	} else {
		c.out.set(headerCache, appendHit(t, r.hit.Age, r.ttl))
	}
	c.tellIn(t)
}

// stream shows events, all at once or as slowly as they were made.
func (r *recalled) stream() error {
	c := r.call
	c.out.expectStream(c.door)
	c.out.openStream()
	c.x.Update(func() { c.x.Timings.FirstToken = c.proxy.gateway.Now().Sub(c.x.Start) })
	body := r.form.Body
	paced := c.keeping.exact.Replay == replayPaced && c.cause() == nil
	if !paced && !c.wantsMetadata() {
		return r.end(body)
	}
	at := c.terminator(body)
	events, end := body[:at], body[at:]
	if c.wantsMetadata() {
		seen := c.readBack(body)
		seen.Usage = r.hit.Usage // the stream has it only where the client asks for it
		end = append(c.metadata(&seen, 0, 0), end...)
	}
	if paced {
		if err := r.pace(events); err != nil {
			return err
		}
	} else if c.out.event(time.Now(), events, false) != nil {
		return gateway.ErrClientGone
	}
	return r.end(end)
}

// end shows the last events.
func (r *recalled) end(events []byte) error {
	if r.call.out.event(time.Now(), events, true) != nil {
		return gateway.ErrClientGone
	}
	return r.call.sent(r.call.out.endStream())
}

// pace shows events one by one, over the time that the upstream took.
func (r *recalled) pace(events []byte) error {
	c := r.call
	c.attend()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	wait := func(d time.Duration) error {
		timer.Reset(d)
		select {
		case <-timer.C:
			return nil
		case <-c.ctx.Done():
			return c.cause()
		}
	}
	return spread(events, r.hit.Took, wait, func(event []byte) error { return c.sent(c.out.event(time.Now(), event, true)) })
}

// spread shows events one by one, evenly over took; wait is called between two.
func spread(events []byte, took time.Duration, wait func(time.Duration) error, show func([]byte) error) error {
	n := 0
	for rest := events; len(rest) > 0; n++ {
		_, rest = replay.Cut(rest)
	}
	for first := true; len(events) > 0; first = false {
		if !first {
			if err := wait(took / time.Duration(n)); err != nil {
				return err
			}
		}
		var event []byte
		event, events = replay.Cut(events)
		if err := show(event); err != nil {
			return err
		}
	}
	return nil
}

// readBack is what a stream that is shown from memory says of itself.
func (c *call) readBack(events []byte) (seen wire.Seen) {
	seen.Sequence = -1
	c.readInto(&seen, events)
	return seen
}

// readInto adds to seen what the events of a stream say.
func (c *call) readInto(seen *wire.Seen, events []byte) {
	observer := c.door.Observer()
	reader := readers.Get().(*sse.Reader)
	reader.Reset(bytes.NewReader(events))
	defer func() {
		reader.Reset(nil)
		readers.Put(reader)
	}()
	var ev sse.Event
	for reader.Next(&ev) == nil {
		if _, err := observer.Event(&ev, seen); err != nil {
			return
		}
	}
}
