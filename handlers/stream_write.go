package handlers

import (
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// pass sends the event that was read; done says that it was the last.
func (s *stream) pass() (done bool, err error) {
	switch {
	case s.end:
		return true, s.flushEnd()
	case s.over != "":
		return true, s.cutOff(s.over)
	case s.hidden:
		return false, s.hide()
	case s.class.Has(wire.Failed):
		return false, s.failed()
	}
	if err := s.forward(); err != nil || !s.class.Has(wire.Terminal) {
		return false, err
	}
	if s.route.Operation == wire.Responses {
		s.rest()
	}
	return true, nil
}

// hide keeps the event from the client. It belongs to the answer all the same.
func (s *stream) hide() error {
	if s.call.led.Load() == nil {
		s.together.copy(nil)
		return s.pushUnlessMore()
	}
	if err := s.push(); err != nil {
		return err
	}
	raw, _ := s.raw()
	s.call.tape(raw, flight.Hidden)
	return nil
}

// forward sends the event on, together with what has arrived with it: nothing
// waits for what has not.
func (s *stream) forward() error {
	raw, own := s.raw()
	switch {
	case s.class.Has(wire.Terminal):
		return s.last(raw)
	case own:
		s.together.pass(s.reader, &s.event)
	default:
		s.together.copy(raw)
	}
	return s.pushUnlessMore()
}

// pushUnlessMore shows what has been gathered, unless the next event is here
// already and goes with it.
func (s *stream) pushUnlessMore() error {
	if s.together.len() < maxTogether && s.reader.Ready() {
		return nil
	}
	return s.push()
}

// push shows what has been gathered, to whoever follows as well.
func (s *stream) push() error {
	events := s.together.take()
	defer s.together.drop()
	if len(events) == 0 || s.call.tape(events, 0) {
		return nil
	}
	return s.send(events)
}

// last shows the events that end the stream, behind the metadata where the client
// wants it.
func (s *stream) last(events []byte) error {
	c, at := s.call, s.lastOf(events)
	var meta []byte
	if c.wantsMetadata() {
		meta = s.metadata()
	}
	defer s.together.drop()
	if l := c.led.Load(); l != nil {
		// Who joins in between must not take over the writing in between.
		l.look()
		l.put(s.together.take(), 0)
		l.put(events[:at], 0)
		l.put(meta, flight.Own)
		c.keepStream(s.attempt, s.firstToken, events[at:], s.readToEnd())
		if l.put(events[at:], flight.Last); l.played != nil {
			return nil
		}
	}
	for _, p := range [...][]byte{events[:at], meta, events[at:]} {
		s.together.copy(p)
	}
	return s.send(s.together.take())
}

// readToEnd is what the stream has told when its terminator has been read, in the
// words that its client gets; nil otherwise.
func (s *stream) readToEnd() *wire.Seen {
	if s.conversation != nil || !s.class.Has(wire.Terminal) {
		return nil
	}
	seen := s.told.Seen()
	return &seen
}

func (s *stream) send(p []byte) error {
	c := s.call
	if err := c.writes(func() error { return c.out.event(s.now, p, true) }); err != nil {
		if cause := c.cause(); cause != nil {
			return cause // of a stream that could not be kept any longer
		}
		return gateway.ErrClientGone
	}
	return nil
}
