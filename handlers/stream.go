package handlers

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
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

	// held are the events before the first content, which are kept back: an
	// upstream that fails now can still be answered for with a real status, or
	// by another.
	held      []byte
	committed bool
	finishing bool
	noted     time.Time // when the ledger was last told of it
	unflushed bool

	// translated is the event in the client's dialect, where that differs.
	translated []byte
	bytes      int64
	scratch    []byte
}

// noteEvery is how often the ledger is told how far a stream has come.
const noteEvery = time.Second

// maxHeld bounds what is kept back; more is content in any sense.
const maxHeld = 64 << 10

// openStream reads a stream up to its first content.
func (a *attempt) openStream(res *http.Response, body io.Reader) (answer, error) {
	reader := readers.Get().(*sse.Reader)
	reader.Reset(body)
	s := &stream{attempt: a, res: res, reader: reader, observer: a.source.Observer(), noted: time.Now()}
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
			s.held = append(s.held, s.translated...)
			return s.upstreamFailure(s.told.Seen().Failure)
		case s.end, s.over != "":
			return nil
		case s.hidden:
			continue
		}
		raw := s.raw()
		if s.class&(wire.Content|wire.Terminal) != 0 || len(s.held)+len(raw) > maxHeld {
			return nil
		}
		s.held = append(s.held, raw...)
	}
}

// keepOpening hands what a translation has said before the commit point to
// whoever tells the client of its failure.
func (s *stream) keepOpening() {
	if t := s.conversation; t != nil {
		t.opening = s.held
	}
}

// drop gives up a stream that was not shown.
func (s *stream) drop() { s.close(false) }

// close ends the reading; complete says that the upstream has said all.
func (s *stream) close(complete bool) {
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
	if err := s.commit(); err != nil {
		return nil, err
	}
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
		if next := s.goOn(broken); next != nil {
			return next, nil
		}
		if !s.class.Has(wire.Failed) {
			return nil, broken
		}
	}
}

// pass sends the event that was read; done says that it was the last.
func (s *stream) pass() (done bool, err error) {
	switch {
	case s.end:
		return true, s.flushEnd()
	case s.over != "":
		return true, s.cutOff(s.over)
	case s.hidden:
		s.call.tape(s.raw(), flight.Hidden)
		return false, s.dropped()
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

// forward sends the event on.
func (s *stream) forward() error {
	raw := s.raw()
	switch {
	case s.class.Has(wire.Terminal):
		return s.last(raw)
	case len(raw) == 0:
		return s.dropped()
	default:
		return s.write(raw, !s.reader.Ready())
	}
}

// dropped pushes out what has been written before an event that is not passed
// on: that one should have done it.
func (s *stream) dropped() error {
	if !s.unflushed || s.reader.Ready() {
		return nil
	}
	return s.write(nil, true)
}

// commit is the point of no return: the client sees its first content.
func (s *stream) commit() error {
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
	if len(s.held) == 0 {
		return nil
	}
	held := s.held
	s.held = nil
	return s.write(held, false)
}

// write shows events, to whoever follows as well.
func (s *stream) write(p []byte, flush bool) error {
	if s.unflushed = !flush; s.call.tape(p, 0) {
		return nil
	}
	return s.send(p, flush)
}

// last shows the events that end the stream, behind the metadata where the client
// wants it.
func (s *stream) last(events []byte) error {
	c, at := s.call, s.lastOf(events)
	var meta []byte
	if c.wantsMetadata() {
		meta = s.metadata()
	}
	s.unflushed = false
	if l := c.led.Load(); l != nil {
		// Who joins in between must not take over the writing in between.
		l.look()
		l.put(events[:at], 0)
		l.put(meta, flight.Own)
		c.keepStream(s.attempt, s.firstToken, events[at:], s.readToEnd())
		if l.put(events[at:], flight.Last); l.played != nil {
			return nil
		}
	}
	if len(meta) > 0 {
		events = slices.Concat(events[:at], meta, events[at:])
	}
	return s.send(events, true)
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

func (s *stream) send(p []byte, flush bool) error {
	c := s.call
	if err := c.writes(func() error { return c.out.event(p, flush) }); err != nil {
		if cause := c.cause(); cause != nil {
			return cause // of a stream that could not be kept any longer
		}
		return gateway.ErrClientGone
	}
	return nil
}

// dataField begins all that Google's SDK for Go takes for an event; comments
// and names make it fail.
var dataField = []byte("data:")

// raw is the event as the client gets it: its own bytes, unless they hold
// something that official SDKs break on, such as an event without data.
func (s *stream) raw() []byte {
	ev := &s.event
	switch {
	case s.conversation != nil:
		return s.translated
	case ev.Clean && (s.call.route.Dialect != wire.Gemini || bytes.HasPrefix(ev.Raw, dataField)):
		return ev.Raw
	case len(ev.Data) == 0:
		return nil
	case s.call.route.Dialect == wire.Gemini:
		s.scratch = sse.AppendEvent(s.scratch[:0], "", ev.Data)
		return s.scratch
	default:
		s.scratch = sse.AppendEvent(s.scratch[:0], string(ev.Name), cleanData(ev.Data))
		return s.scratch
	}
}

// failed passes the upstream's own error event on as it came.
func (s *stream) failed() error {
	e := s.upstreamFailure(s.told.Seen().Failure)
	if s.conversation != nil {
		// Its own words are shown if they can be read, else the gateway's.
		s.translated, _ = s.conversation.event(&s.event)
	}
	s.shown = s.conversation == nil || s.conversation.told
	if err := s.write(redact(s.route.Provider, s.raw()), true); err != nil {
		return err
	}
	s.rest()
	return e
}
