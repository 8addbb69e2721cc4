package anthropic

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// streamEncoder writes a stream of messages. SDKs demand that blocks are
// numbered without gaps and follow each other, and that usage and the stop
// reason come last and together.
type streamEncoder struct {
	reply *wire.Reply
	w     jsonw.Writer

	index int // of the open block, or of the next one
	calls int

	block   block
	refused bool
	choice  wire.Choice
	usage   wire.Report
}

// block is the open one.
type block struct {
	open bool
	kind wire.BlockType

	// begun says that its start was written. A call waits for one event, since a
	// signature has to be told before it; redacted thinking is told whole.
	begun     bool
	id, name  string
	custom    bool
	signature string
	text      []byte // of a custom call, which becomes JSON as a whole
}

// Encode appends what ev means. Choices but the first have no place.
func (e *streamEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	switch {
	case ev.Choice != 0:
		return dst
	case e.block.open && !e.block.begun && ev.Kind != wire.EventSignature && ev.Kind != wire.EventUsage:
		dst = e.begin(dst)
	}
	switch ev.Kind {
	case wire.EventStart:
		return e.start(dst, ev)
	case wire.EventBlock:
		return e.openBlock(dst, ev)
	case wire.EventDelta:
		return e.delta(dst, ev.Text)
	case wire.EventSignature:
		return e.sign(dst, ev)
	case wire.EventCitation:
		if e.block.kind == wire.TextBlock && e.block.begun {
			e.deltaHead(dst, "citations_delta", "citation")
			answer{&e.w, e.reply, 0}.citation(ev.Citation)
			return e.deltaTail()
		}
	case wire.EventBlockEnd:
		return e.closeBlock(dst)
	case wire.EventFinish:
		e.choice = wire.Choice{Finish: ev.Finish, StopString: ev.StopString, Explanation: ev.Explanation}
	case wire.EventUsage:
		e.usage = *ev.Usage
	case wire.EventFail:
		return sse.AppendEvent(dst, "error", wire.AppendAnthropicError(nil, ev.Failure))
	case wire.EventEnd:
		return e.end(dst)
	}
	return dst
}

func (e *streamEncoder) start(dst []byte, ev *wire.Event) []byte {
	w := e.open(dst, "message_start")
	w.Key("message")
	w.Object()
	w.Str("id", messageID(ev.ID, e.reply))
	w.Str("type", "message")
	w.Str("role", "assistant")
	w.Str("model", modelName(ev.Model, e.reply))
	w.B = append(w.B, `,"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null`...)
	// The upstream has told nothing yet; message_delta puts it right.
	writeUsage(w, &wire.Report{Usage: wire.Usage{Input: e.reply.InputTokens}}, "")
	w.End()
	return e.close()
}

func (e *streamEncoder) end(dst []byte) []byte {
	w := e.open(dst, "message_delta")
	w.Key("delta")
	w.Object()
	writeStop(w, &e.choice, e.calls > 0, e.refused)
	w.End()
	w.Key("usage")
	w.Object()
	if !e.usage.Reported && e.usage.IsZero() {
		e.usage.Input = e.reply.InputTokens
	}
	writeCounters(w, &e.usage)
	w.End()
	dst = e.close()
	return append(dst, messageStop...)
}

// open begins an event of the type that its name repeats.
func (e *streamEncoder) open(dst []byte, kind string) *jsonw.Writer {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	e.w.B = append(append(dst, kind...), '"')
	return &e.w
}

// close ends it.
func (e *streamEncoder) close() []byte {
	dst := append(e.w.B, "}\n\n"...)
	e.w.B = nil // the bytes are the caller's
	return dst
}

// deltaHead begins a content_block_delta whose payload is the member name.
func (e *streamEncoder) deltaHead(dst []byte, kind, name string) {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	dst = append(append(dst, `,"delta":{"type":"`...), kind...)
	e.w.B = append(append(append(dst, `","`...), name...), `":`...)
}

func (e *streamEncoder) deltaTail() []byte {
	e.w.B = append(e.w.B, '}')
	return e.close()
}

var _ wire.StreamEncoder = (*streamEncoder)(nil) // interface guard
