package cohere

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamEncoder returns an encoder of one streamed answer of v2/chat. The
// dialect has one choice; blocks that it has no event for are left out.
func (Codec) StreamEncoder(reply *wire.Reply) wire.StreamEncoder {
	return &streamEncoder{reply: reply}
}

type streamEncoder struct {
	w     jsonw.Writer
	reply *wire.Reply

	block     wire.BlockType
	text      []byte // of the open text, for its citations
	parts     int64  // content parts so far
	calls     int64
	citations int64

	usage  wire.Report
	finish string
}

// Encode appends the events of one event.
func (s *streamEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	if ev.Choice != 0 {
		return dst
	}
	switch ev.Kind {
	case wire.EventStart:
		id := ev.ID
		if id == "" {
			id = s.reply.ID
		}
		w := s.begin("message-start")
		w.Str("id", id)
		w.Key("delta")
		w.Object()
		w.RawMember("message", `{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}`)
		w.End()
		return s.end(dst, "message-start")
	case wire.EventBlock:
		s.block = ev.Block
		return s.open(dst, ev)
	case wire.EventDelta:
		if len(ev.Text) > 0 {
			return s.delta(dst, ev)
		}
	case wire.EventCitation:
		return s.cite(dst, ev)
	case wire.EventBlockEnd:
		return s.close(dst)
	case wire.EventUsage:
		s.usage = *ev.Usage
		s.usage.Reported = true
	case wire.EventFinish:
		s.finish = wordFor(ev.Finish, ev.Native)
	case wire.EventFail:
		return appendFailure(dst, ev.Failure)
	case wire.EventEnd:
		w := s.begin("message-end")
		w.Key("delta")
		w.Object()
		w.Str("finish_reason", s.finish)
		writeUsage(w, &s.usage)
		w.End()
		return sse.AppendEvent(s.end(dst, "message-end"), "", done)
	}
	return dst
}

func (s *streamEncoder) begin(name string) *jsonw.Writer {
	s.w.B = append(s.w.B[:0], '{')
	s.w.Str("type", name)
	return &s.w
}

func (s *streamEncoder) end(dst []byte, name string) []byte {
	s.w.End()
	return sse.AppendEvent(dst, name, s.w.B)
}

// message opens delta.message, whose member name holds what follows.
func (s *streamEncoder) message(index int64, member string) *jsonw.Writer {
	w := &s.w
	w.Num("index", index)
	w.Key("delta")
	w.Object()
	w.Key("message")
	w.Object()
	w.Key(member)
	w.Object()
	return w
}

func (s *streamEncoder) closeMessage() {
	s.w.End()
	s.w.End()
	s.w.End()
}

func (s *streamEncoder) open(dst []byte, ev *wire.Event) []byte {
	switch ev.Block {
	case wire.CallBlock:
		s.begin("tool-call-start")
		w := s.message(s.calls, "tool_calls")
		w.Str("id", ev.ID)
		w.Str("type", "function")
		w.Key("function")
		w.Object()
		w.Str("name", ev.Name)
		w.Str("arguments", "")
		w.End()
		s.closeMessage()
		return s.end(dst, "tool-call-start")
	case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock:
		kind := "text"
		if ev.Block == wire.ThinkingBlock {
			kind = "thinking"
		}
		s.text = s.text[:0]
		s.begin("content-start")
		w := s.message(s.parts, "content")
		w.Str("type", kind)
		w.Str(kind, "")
		s.closeMessage()
		return s.end(dst, "content-start")
	}
	return dst
}

func (s *streamEncoder) delta(dst []byte, ev *wire.Event) []byte {
	switch s.block {
	case wire.CallBlock:
		s.begin("tool-call-delta")
		w := s.message(s.calls, "tool_calls")
		w.Key("function")
		w.Object()
		w.Key("arguments")
		w.Text(ev.Text)
		w.End()
		s.closeMessage()
		return s.end(dst, "tool-call-delta")
	case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock:
		kind := "text"
		if s.block == wire.ThinkingBlock {
			kind = "thinking"
		} else {
			s.text = append(s.text, ev.Text...)
		}
		s.begin("content-delta")
		w := s.message(s.parts, "content")
		w.Key(kind)
		w.Text(ev.Text)
		s.closeMessage()
		return s.end(dst, "content-delta")
	}
	return dst
}

func (s *streamEncoder) cite(dst []byte, ev *wire.Event) []byte {
	w := s.begin("citation-start")
	w.Num("index", s.citations)
	w.Key("delta")
	w.Object()
	w.Key("message")
	w.Object()
	w.Key("citations")
	writeCitation(w, ev.Citation, string(s.text))
	s.closeMessage()
	dst = s.end(dst, "citation-start")
	s.begin("citation-end").Num("index", s.citations)
	s.citations++
	return s.end(dst, "citation-end")
}

func (s *streamEncoder) close(dst []byte) []byte {
	name, index := "content-end", &s.parts
	switch s.block {
	case wire.CallBlock:
		name, index = "tool-call-end", &s.calls
	case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock:
	default:
		return dst
	}
	s.begin(name).Num("index", *index)
	*index++
	return s.end(dst, name)
}
