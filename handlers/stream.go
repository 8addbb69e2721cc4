package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// readers holds *sse.Reader, each with its buffer.
var readers = sync.Pool{New: func() any { return sse.NewReader(nil, sse.MaxEvent) }}

// stream is the relay of one event stream.
type stream struct {
	call     *call
	reader   *sse.Reader
	observer wire.Observer
	event    sse.Event

	// held are the events before the first content, which are kept back: an
	// upstream that fails now can still be answered for with a real status.
	held      []byte
	committed bool
	content   bool // some of it has come
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

// relayStream passes a stream on, event by event, and watches it go. It
// closes the answer's body.
func (c *call) relayStream(res *http.Response, body io.Reader) (err error) {
	reader := readers.Get().(*sse.Reader)
	reader.Reset(body)
	s := &stream{call: c, reader: reader, observer: c.source.Observer(), noted: time.Now()}
	if c.conversation != nil {
		c.conversation.open()
	}
	complete := false
	defer func() {
		reader.Reset(nil)
		readers.Put(reader)
		c.timed(c.upstreamStart, &c.x.Timings.Upstream)
		c.handedOver = complete
		finishBody(res.Body, complete, c.cancel)
	}()

	c.x.Update(func() { c.x.Stream = true })
	c.out.prepare(func() {
		c.copyHeader(res.Header)
		c.setTiming()
	})
	c.pulse.stream.Store(true)
	c.out.expectStream(c.door)
	c.pulse.enter(phaseFirstToken)
	for {
		done, err := s.next()
		if err == nil && done {
			complete = true
			return c.sent(c.out.endStream())
		}
		if err != nil {
			s.keepOpening()
			return err
		}
	}
}

// keepOpening hands what a translation has said before the commit point to
// whoever tells the client of its failure.
func (s *stream) keepOpening() {
	if t := s.call.conversation; t != nil && !s.committed {
		t.opening = s.held
	}
}

// next relays one event; done says that it was the last.
func (s *stream) next() (done bool, err error) {
	c := s.call
	switch err := s.reader.Next(&s.event); {
	case err == nil:
	case errors.Is(err, io.EOF):
		return true, s.ended()
	case errors.Is(err, io.ErrUnexpectedEOF) && len(s.event.Raw) > 0:
		// Many servers leave out the last blank line. What makes the end
		// proper is the terminator, not the blank line.
	default:
		return false, s.readError(err)
	}
	if s.bytes += int64(len(s.event.Raw)); s.bytes > maxStream {
		return false, &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream's stream is too long"}
	}
	if s.event.Unknown && !s.event.HasData {
		return false, &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent something that is no event stream"}
	}
	if now := time.Now(); now.Sub(s.noted) >= noteEvery {
		s.noted = now
		c.proxy.host.Went(c.x)
	}
	class, err := c.x.Observe(func(seen *wire.Seen) (wire.Class, error) { return s.observer.Event(&s.event, seen) })
	if err != nil {
		return false, &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent a malformed event", Cause: err}
	}
	s.finishing = s.finishing || class.Has(wire.Finishing)
	if class.Has(wire.Content) {
		if s.content {
			c.pulse.seen(time.Now())
		} else {
			s.content = true
			c.timed(c.x.Start, &c.x.Timings.FirstToken)
			c.pulse.enter(phaseStream)
		}
	}
	if s.event.HasData && c.conversation != nil {
		if s.translated, err = c.conversation.event(&s.event); err != nil {
			return false, &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent a malformed event", Cause: err}
		}
	} else if class.Has(wire.UsageOnly) && c.askedUsage {
		return false, s.dropped()
	}
	if class.Has(wire.Failed) {
		return false, s.failed()
	}
	if err := s.forward(class); err != nil || !class.Has(wire.Terminal) {
		return false, err
	}
	if c.target.Operation == wire.Responses {
		s.rest()
	}
	return true, nil
}

// forward sends the event on, or keeps it back before the commit point.
func (s *stream) forward(class wire.Class) error {
	raw := s.raw()
	terminal := class.Has(wire.Terminal)
	if !s.committed {
		if class&(wire.Content|wire.Terminal) == 0 && len(s.held)+len(raw) <= maxHeld {
			s.held = append(s.held, raw...)
			return nil
		}
		if err := s.commit(); err != nil {
			return err
		}
	}
	if terminal && s.call.wantsMetadata() {
		raw = s.withMetadata(raw)
	}
	if len(raw) == 0 {
		return s.dropped()
	}
	return s.write(raw, terminal || !s.reader.Ready())
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
	s.call.out.openStream()
	if len(s.held) == 0 {
		return nil
	}
	held := s.held
	s.held = nil
	return s.write(held, false)
}

func (s *stream) write(p []byte, flush bool) error {
	s.unflushed = !flush
	if err := s.call.out.event(p, flush); err != nil {
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
	case s.call.conversation != nil:
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

// failed handles the upstream's own error event. Before the commit point it
// becomes an answer with a status; after it, it goes out as it came.
func (s *stream) failed() error {
	c := s.call
	seen := c.x.Seen()
	e := c.upstreamFailure(seen.Failure)
	if !s.committed {
		s.held = append(s.held, s.translated...)
		return e
	}
	c.shown = c.conversation == nil || c.conversation.told
	if err := s.write(c.redact(s.raw()), true); err != nil {
		return err
	}
	s.rest()
	return e
}

// rest passes on what an upstream says after its last word: usage after an
// error event, or the `[DONE]` that some servers send after a response's
// terminal event. None of it is made up here, and it is not waited for long.
func (s *stream) rest() {
	timer := time.AfterFunc(drainTime, func() { s.call.cancel(nil) })
	defer timer.Stop()
	for range 16 {
		err := s.reader.Next(&s.event)
		if err != nil && (!errors.Is(err, io.ErrUnexpectedEOF) || len(s.event.Raw) == 0) {
			return
		}
		_, bad := s.call.x.Observe(func(seen *wire.Seen) (wire.Class, error) { return s.observer.Event(&s.event, seen) })
		if s.call.conversation != nil {
			continue // its last word has been said
		}
		if bad != nil || s.write(s.raw(), true) != nil {
			return
		}
	}
}

// ended decides what a body means that ended cleanly without a terminator.
func (s *stream) ended() error {
	c := s.call
	if cause := c.cause(); cause != nil {
		return cause
	}
	if s.finishing && c.endsLoosely() {
		return s.flushEnd()
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream ended the stream before it was complete"}
}

// endsLoosely reports whether a body that ends cleanly after the finish reason
// is complete: Gemini has no terminator, Bedrock's is a report that may be
// missing, and some servers leave out OpenAI's.
func (c *call) endsLoosely() bool {
	switch c.target.Operation.Dialect {
	case wire.Gemini, wire.Bedrock:
		return true
	case wire.OpenAI:
		return c.target.Provider.Traits().LooseEnd
	default:
		return false
	}
}

func (s *stream) flushEnd() error {
	if !s.committed {
		if err := s.commit(); err != nil {
			return err
		}
	}
	var end []byte
	if s.call.conversation != nil {
		end = s.call.conversation.end()
	}
	if s.call.wantsMetadata() {
		end = s.withMetadata(end)
	}
	return s.write(end, true)
}

// readError words why the stream could not be read on.
func (s *stream) readError(err error) error {
	var long *sse.TooLongError
	if errors.As(err, &long) {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream sent an event of more than " + strconv.Itoa(long.Limit) + " bytes", Cause: err}
	}
	return s.call.readError(err, "stream")
}

// finishBody closes an upstream's body. After a complete stream the few bytes
// that end it on the connection are read first, or the connection could not
// be used again; the client does not wait for that.
func finishBody(body io.ReadCloser, complete bool, cancel context.CancelCauseFunc) {
	if !complete {
		discard(body)
		return
	}
	go func() {
		timer := time.AfterFunc(drainTime, func() { cancel(nil) })
		_, _ = io.Copy(io.Discard, io.LimitReader(body, 64<<10))
		timer.Stop()
		discard(body)
		cancel(nil)
	}()
}
