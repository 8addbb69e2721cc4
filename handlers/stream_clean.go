package handlers

import (
	"bytes"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

// dataField begins all that Google's SDK for Go takes for an event; comments
// and names make it fail.
var dataField = []byte("data:")

// hush makes an event that says nothing one without data, which the standard
// says of empty data. Gemini's streams have no terminator: OpenAI's says nothing
// in them.
func (s *stream) hush() {
	ev := &s.event
	switch {
	case !ev.HasData:
		return
	case !ev.Clean && len(bytes.TrimSpace(ev.Data)) == 0:
	case s.route.Operation.Dialect == wire.Gemini && openai.IsDone(ev.Data):
	default:
		return
	}
	ev.HasData, ev.Data, ev.Clean = false, nil, false
}

// raw is the event as the client gets it: its own bytes, unless they hold
// something that official SDKs break on, such as an event without data.
func (s *stream) raw() (p []byte, own bool) {
	ev := &s.event
	gemini := s.call.route.Dialect == wire.Gemini
	switch {
	case s.conversation != nil:
		return s.translated, false
	case s.class.Has(wire.Flawed):
		s.scratch = sse.AppendEvent(s.scratch[:0], string(ev.Name), openai.WithoutError(ev.Data))
		return s.scratch, false
	case s.unnamed():
		s.scratch = sse.AppendEvent(s.scratch[:0], wire.TypeOf(ev.Data), ev.Data)
		return s.scratch, false
	case ev.Clean && (!gemini || bytes.HasPrefix(ev.Raw, dataField)):
		return ev.Raw, true
	case len(ev.Data) == 0:
		return nil, false
	case gemini:
		s.scratch = sse.AppendEvent(s.scratch[:0], "", ev.Data)
		return s.scratch, false
	default:
		s.scratch = sse.AppendEvent(s.scratch[:0], string(ev.Name), cleanData(ev.Data))
		return s.scratch, false
	}
}

// unnamed says that the event lacks the name that repeats its type, without
// which Anthropic's SDKs pass over it.
func (s *stream) unnamed() bool {
	return s.event.Name == nil && s.event.HasData && s.route.Operation == wire.Messages
}

// cleanData is an event's data without padding around the end marker, which
// Node's SDK compares to the letter.
func cleanData(data []byte) []byte {
	if openai.IsDone(data) {
		return []byte("[DONE]")
	}
	return bytes.TrimRight(data, "\r")
}
