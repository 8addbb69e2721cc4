package handlers

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// readers holds *sse.Reader, each with its buffer.
var readers = sync.Pool{New: func() any { return sse.NewReader(nil, sse.MaxEvent) }}

// stream is an answer that comes event by event, and its relay.
type stream struct {
	*attempt
	res      *http.Response
	reader   *sse.Reader
	observer wire.Observer
	event    sse.Event

	// class is the last event's; hidden says that it is kept from the client,
	// end that the body has ended properly behind it.
	class  wire.Class
	hidden bool
	end    bool

	// ending knows how to end a stream that is not translated, where it may have
	// to be cut; over is why it must, cut that it was.
	ending wire.Ending
	before int64 // tokens of the answer that this one goes on with
	over   string
	cut    bool

	// together is what goes to the client next. Before the first content it is
	// kept back: an upstream that fails now can still be answered for with a real
	// status, or by another.
	together  together
	committed bool
	finishing bool
	now       time.Time // when the event at hand arrived
	noted     time.Time // when the ledger was last told of it

	// translated is the event in the client's dialect, where that differs.
	translated []byte
	bytes      int64
	scratch    []byte
}

// noteEvery is how often the ledger is told how far a stream has come.
const noteEvery = time.Second

// maxHeld bounds what is kept back; more is content in any sense. Responses repeats
// its request, tools and instructions, in each of up to three events, so there it
// may be more, up to maxEcho.
const (
	maxHeld = 64 << 10
	maxEcho = 4 << 20
)

// holds is how much of the stream is kept back before its first content.
func (s *stream) holds() int {
	if s.route.Operation != wire.Responses {
		return maxHeld
	}
	return maxHeld + int(min(4*s.outgoing.Length, maxEcho))
}

// openStream reads a stream up to its first content.
func (a *attempt) openStream(res *http.Response, body io.Reader) (answer, error) {
	reader := readers.Get().(*sse.Reader)
	reader.Reset(body)
	s := &stream{attempt: a, res: res, reader: reader, observer: a.source.Observer(), noted: time.Now()}
	s.now = s.noted
	for _, t := range []*conversation{a.conversation, a.shadow} {
		if t != nil {
			t.open()
		}
	}
	if t := a.conversation; t != nil && a.call.led.Load() != nil && a.call.sequel == nil {
		t.collect()
	}
	if q := a.call.sequel; q != nil {
		s.before = q.before.Shown()
	}
	s.mayCut()
	a.watch.stream.Store(true)
	a.watch.enter(phaseFirstToken)
	if err := s.open(); err != nil {
		s.keepOpening()
		s.close(false)
		return nil, err
	}
	return s, nil
}

// open reads events up to the commit point, and keeps them back.
func (s *stream) open() error {
	for {
		if err := s.read(); err != nil {
			return err
		}
		switch {
		case s.class.Has(wire.Failed):
			s.together.copy(s.translated)
			return s.upstreamFailure(s.told.Seen().Failure)
		case s.end, s.over != "":
			return nil
		case s.hidden:
			continue
		}
		if s.class&(wire.Content|wire.Terminal) != 0 {
			return nil
		}
		raw, _ := s.raw()
		if s.together.len()+len(raw) > s.holds() {
			return nil
		}
		s.together.copy(raw)
	}
}

// keepOpening hands what a translation has said before the commit point to
// whoever tells the client of its failure.
func (s *stream) keepOpening() {
	if t := s.conversation; t != nil {
		t.opening = bytes.Clone(s.together.take())
	}
}

// drop gives up a stream that was not shown.
func (s *stream) drop() { s.close(false) }

// close ends the reading; complete says that the upstream has said all.
func (s *stream) close(complete bool) {
	s.together.drop()
	s.reader.Reset(nil)
	readers.Put(s.reader)
	c := s.call
	c.timed(c.upstreamStart, &c.x.Timings.Upstream)
	if complete {
		c.handedOver = true
	}
	finishBody(s.res.Body, complete, func(cause error) {
		s.cancel(cause)
		if complete {
			c.cancel(cause)
		}
	})
}

// show passes the stream on, and what goes on with it if it breaks off.
func (s *stream) show() error {
	next, err := s.relay()
	if next != nil {
		return next.show()
	}
	return err
}

// relay passes the stream on, event by event, and watches it go. next is an
// answer that goes on with it, nil where there is none.
func (s *stream) relay() (next answer, err error) {
	complete := false
	defer func() { s.close(complete) }()
	c := s.call
	if c.sequel == nil {
		s.settled()
	}
	c.allowance = s.allowance
	c.out.prepare(func() {
		c.copyHeader(s.res.Header, s.upstreamID)
		c.tell()
	})
	s.commit()
	for {
		done, err := s.pass()
		if err != nil {
			return nil, err
		}
		if done {
			complete = !s.cut
			return nil, c.sent(c.out.endStream())
		}
		broken := s.read()
		if broken == nil && s.class.Has(wire.Failed) {
			broken = s.upstreamFailure(s.told.Seen().Failure)
		}
		if broken == nil {
			continue
		}
		if err := s.push(); err != nil {
			return nil, err
		}
		if next := s.goOn(broken); next != nil {
			return next, nil
		}
		if !s.class.Has(wire.Failed) {
			return nil, broken
		}
	}
}

// commit is the point of no return: the client sees its first content.
func (s *stream) commit() {
	s.committed = true
	if !s.firstToken.IsZero() {
		s.timeFirstToken()
	}
	// Whether it was asked for or not: the client gets what came. A stream that
	// failed earlier must not change what the next upstream is asked for.
	c := s.call
	c.x.Update(func() { c.x.Stream = true })
	c.announceFlight()
	c.out.expectStream(c.door)
	c.out.openStream()
}

// failed passes the upstream's own error event on as it came.
func (s *stream) failed() error {
	e := s.upstreamFailure(s.told.Seen().Failure)
	if s.conversation != nil {
		// Its own words are shown if they can be read, else the gateway's.
		s.translated, _ = s.conversation.event(&s.event)
	}
	s.shown = s.conversation == nil || s.conversation.told
	raw, _ := s.raw()
	s.together.copy(redact(s.route.Provider, raw))
	if err := s.push(); err != nil {
		return err
	}
	s.rest()
	return e
}
