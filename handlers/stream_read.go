package handlers

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// most is how many bytes the stream may have. What is translated may have to be
// put together first, as a whole answer is.
func (s *stream) most() int64 {
	if s.conversation != nil {
		return maxAnswer
	}
	return maxStream
}

// read reads one event, and translates it.
func (s *stream) read() error {
	c := s.call
	s.class, s.hidden, s.end = 0, false, false
	here := s.reader.Ready() // with the event before
	err := s.reader.Next(&s.event)
	if !here {
		s.now = time.Now()
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		s.end = true
		return s.closed()
	case errors.Is(err, io.ErrUnexpectedEOF) && len(s.event.Raw) > 0:
		// Many servers leave out the last blank line. What makes the end
		// proper is the terminator, not the blank line.
	default:
		return s.unreadable(err)
	}
	s.hush()
	if s.bytes += int64(len(s.event.Raw)); s.bytes > s.most() {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream's stream is too long"}
	}
	if s.event.Unknown && !s.event.HasData {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent something that is no event stream"}
	}
	if s.now.Sub(s.noted) >= noteEvery {
		s.noted = s.now
		c.proxy.host.Went(c.x)
	}
	class, err := s.told.Observe(func(seen *wire.Seen) (wire.Class, error) { return s.observer.Event(&s.event, seen) })
	if err != nil {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent a malformed event", Cause: err}
	}
	s.class = class
	s.finishing = s.finishing || class.Has(wire.Finishing)
	if s.allowance != nil {
		if s.over = s.exceeded(class); s.over != "" {
			return nil
		}
		if s.ending != nil {
			s.ending.Pass(&s.event)
		}
	}
	if class.Has(wire.Content) {
		s.arrived()
	}
	if class.Has(wire.Failed) && s.committed {
		return nil // it is translated if nobody goes on with the stream
	}
	if s.shadow != nil && s.event.HasData {
		if _, err := s.shadow.event(&s.event); err != nil {
			s.shadow = nil
		}
	}
	if s.event.HasData && s.conversation != nil {
		s.translated = nil
		if class.Has(wire.Failed) && s.conversation.join != nil {
			return nil // what broke is the client's stream no more
		}
		if s.translated, err = s.conversation.event(&s.event); err != nil {
			return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent a malformed event", Cause: err}
		}
	} else {
		s.hidden = class.Has(wire.UsageOnly) && s.askedUsage
	}
	return nil
}

// arrived notes that content came.
func (s *stream) arrived() {
	if !s.firstToken.IsZero() {
		s.watch.seen(s.now)
		return
	}
	s.firstToken = s.call.proxy.gateway.Now()
	s.pick.Health.FirstToken(s.firstToken.Sub(s.begun))
	s.watch.enter(phaseStream)
	if s.committed {
		s.timeFirstToken()
	}
}

// timeFirstToken notes when the client's first content came.
func (s *stream) timeFirstToken() {
	if s.call.sequel != nil {
		return // it came long ago
	}
	x := s.call.x
	x.Update(func() { x.Timings.FirstToken = s.firstToken.Sub(x.Start) })
}

// unreadable words why the stream could not be read on.
func (s *stream) unreadable(err error) error {
	var long *sse.TooLongError
	if errors.As(err, &long) {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent an event of more than " + strconv.Itoa(long.Limit) + " bytes", Cause: err}
	}
	return s.readError(err, "stream")
}
