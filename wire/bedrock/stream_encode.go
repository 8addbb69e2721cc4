package bedrock

import (
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamEncoder returns an encoder of one ConverseStream answer, as server-sent
// events. The dialect has one choice; blocks that only another vendor has, and
// whole blocks of its own tools, are left out.
func (Codec) StreamEncoder(*wire.Reply) wire.StreamEncoder {
	return &streamEncoder{e: encoder{req: &wire.Request{Dialect: wire.Bedrock}, loss: new(wire.Loss)}}
}

type streamEncoder struct {
	e     encoder
	block wire.BlockType
	usage wire.Report
}

// Encode appends the frames of one event.
func (s *streamEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	if ev.Choice != 0 {
		return dst
	}
	e := &s.e
	e.B = append(e.B[:0], '{')
	name := "contentBlockDelta"
	switch ev.Kind {
	case wire.EventStart:
		name = "messageStart"
		e.Str("role", "assistant")
	case wire.EventBlock:
		if s.block = ev.Block; s.block != wire.CallBlock {
			return dst // the first delta opens it
		}
		name = "contentBlockStart"
		e.Num("contentBlockIndex", int64(ev.Index))
		e.Key("start")
		e.Object()
		e.Key("toolUse")
		e.Object()
		e.Str("name", ev.Name)
		e.Str("toolUseId", wire.SafeCallID(ev.ID))
		e.End()
		e.End()
	case wire.EventDelta:
		if len(ev.Text) == 0 || s.block == wire.RawBlock {
			return dst
		}
		s.delta(ev)
	case wire.EventSignature:
		if s.block != wire.ThinkingBlock && s.block != wire.RedactedBlock {
			return dst // a call's or a text's: there is no place for it
		}
		s.signature(ev)
	case wire.EventCitation:
		e.Num("contentBlockIndex", int64(ev.Index))
		e.Key("delta")
		e.Object()
		e.Key("citation")
		e.citation(ev.Citation)
		e.End()
	case wire.EventBlockEnd:
		if s.block == wire.RawBlock {
			return dst
		}
		name = "contentBlockStop"
		e.Num("contentBlockIndex", int64(ev.Index))
	case wire.EventFinish:
		name = "messageStop"
		e.stop(ev.Finish, ev.Native, ev.StopString)
	case wire.EventUsage:
		s.usage = *ev.Usage
		return dst
	case wire.EventFail:
		return appendException(dst, ev.Failure)
	case wire.EventEnd:
		name = "metadata"
		e.RawMember("metrics", `{"latencyMs":0}`)
		e.usage(&s.usage)
		if tier := s.usage.ServiceTier; tier != "" {
			e.Key("serviceTier")
			e.Object()
			e.Str("type", tier)
			e.End()
		}
	}
	e.End()
	return sse.AppendEvent(dst, name, e.B)
}

func (s *streamEncoder) delta(ev *wire.Event) {
	e := &s.e
	e.Num("contentBlockIndex", int64(ev.Index))
	e.Key("delta")
	e.Object()
	switch s.block {
	case wire.CallBlock:
		e.Key("toolUse")
		e.Object()
		e.Key("input")
		e.Text(ev.Text)
		e.End()
	case wire.ThinkingBlock:
		e.Key("reasoningContent")
		e.Object()
		e.Key("text")
		e.Text(ev.Text)
		e.End()
	default:
		e.Key("text")
		e.Text(ev.Text)
	}
	e.End()
}

func (s *streamEncoder) signature(ev *wire.Event) {
	e := &s.e
	e.Num("contentBlockIndex", int64(ev.Index))
	e.Key("delta")
	e.Object()
	e.Key("reasoningContent")
	e.Object()
	if s.block == wire.RedactedBlock {
		e.Str("redactedContent", redactedFor(ev.Vendor, ev.ID, ev.Signature))
	} else {
		e.Str("signature", wire.SignatureFor(wire.VendorAnthropic, ev.Vendor, ev.ID, ev.Signature))
	}
	e.End()
	e.End()
}
