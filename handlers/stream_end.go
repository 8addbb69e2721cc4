package handlers

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// rest passes on what an upstream says after its last word: usage after an
// error event, or the `[DONE]` that some servers send after a response's
// terminal event. None of it is made up here, and it is not waited for long.
func (s *stream) rest() {
	timer := time.AfterFunc(drainTime, func() { s.cancel(nil) })
	defer timer.Stop()
	for range 16 {
		err := s.reader.Next(&s.event)
		if err != nil && (!errors.Is(err, io.ErrUnexpectedEOF) || len(s.event.Raw) == 0) {
			return
		}
		_, bad := s.told.Observe(func(seen *wire.Seen) (wire.Class, error) { return s.observer.Event(&s.event, seen) })
		if s.conversation != nil {
			continue // its last word has been said
		}
		raw, _ := s.raw()
		s.now = time.Now()
		if s.together.copy(raw); bad != nil || s.push() != nil {
			return
		}
	}
}

// closed decides what a body means that ended cleanly without a terminator.
func (s *stream) closed() error {
	if cause := s.cause(); cause != nil {
		return cause
	}
	if s.finishing && s.endsLoosely() {
		return nil
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: "stream", Message: "the upstream ended the stream before it was complete"}
}

// endsLoosely reports whether a body that ends cleanly after the finish reason
// is complete: Gemini has no terminator, Bedrock's is a report that may be
// missing, Cohere's follows an event that says the same, and some servers leave
// out OpenAI's.
func (a *attempt) endsLoosely() bool {
	switch a.route.Operation.Dialect {
	case wire.Gemini, wire.Bedrock, wire.Cohere:
		return true
	case wire.OpenAI:
		return a.route.Provider.Traits().LooseEnd
	default:
		return false
	}
}

// flushEnd says for the upstream what its dialect has no terminator for.
func (s *stream) flushEnd() error {
	var end []byte
	if s.conversation != nil {
		end = s.conversation.end()
	}
	return s.last(end)
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
