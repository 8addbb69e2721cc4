package cohere

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamDecoder returns a decoder of one streamed answer of v2/chat.
func (Codec) StreamDecoder() wire.StreamDecoder { return &streamDecoder{} }

type streamDecoder struct {
	doc  wire.Doc
	ev   wire.Event
	emit func(*wire.Event)

	started, finished, ended bool
	content, calls           bool

	open  bool
	block wire.BlockType
	plan  bool  // the open block is a tool plan, which no event ends
	at    int64 // the vendor's index of the open call
	index int   // of the open block, or of the next

	held wire.Held // what comes in between of a call
}

// Decode reads one event.
func (d *streamDecoder) Decode(ev *sse.Event, emit func(*wire.Event)) error {
	if !ev.HasData || d.ended {
		return nil
	}
	d.emit = emit
	if bytes.HasPrefix(ev.Data, done) {
		d.end()
		return nil
	}
	if err := d.doc.Reset(ev.Data); err != nil || d.doc.Root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	if d.finished {
		return nil
	}
	return d.read(ev)
}

// read reads the event that the document holds.
func (d *streamDecoder) read(ev *sse.Event) error {
	root := d.doc.Root
	message := d.doc.Get(root, "delta", "message")
	kind := d.doc.Bytes(d.doc.Get(root, "type"))
	if block, waits := d.turn(kind); waits {
		return d.held.Keep(block, ev)
	}
	switch string(kind) {
	case "message-start":
		d.start(d.doc.StrAt(root, "id"))
	case "content-start":
		content := d.doc.Get(message, "content")
		t := wire.TextBlock
		if d.doc.Get(content, "type").Is(d.doc.Data, "thinking") {
			t = wire.ThinkingBlock
		}
		d.begin(wire.Event{Block: t})
		d.part(content)
	case "content-delta":
		d.part(d.doc.Get(message, "content"))
	case "tool-plan-delta":
		if !d.plan {
			d.begin(wire.Event{Block: wire.ThinkingBlock})
			d.plan = true
		}
		d.text(d.doc.Get(message, "tool_plan"))
	case "tool-call-start":
		call := d.doc.Get(message, "tool_calls")
		d.calls = true
		d.begin(wire.Event{Block: wire.CallBlock, ID: d.doc.StrAt(call, "id"), Name: d.doc.StrAt(call, "function", "name")})
		d.at = d.doc.IntAt(root, "index")
		d.text(d.doc.Get(call, "function", "arguments"))
	case "tool-call-delta":
		if !d.open || d.block != wire.CallBlock {
			return fmt.Errorf("reading stream event: %w: arguments of no open call", wire.ErrMalformed)
		}
		d.text(d.doc.Get(message, "tool_calls", "function", "arguments"))
	case "content-end", "tool-call-end":
		d.close()
		return d.held.Release(&d.doc, d.inTheWay, d.read)
	case "citation-start":
		d.cite(d.doc.Get(message, "citations"))
	case "message-end":
		if err := d.releaseAll(ev); err != nil {
			return err
		}
		d.finish(d.doc.Root)
	case "":
		if d.doc.Get(root, "message").Kind == jsonscan.String {
			d.fail(wire.ReadFailure(500, "", ev.Data))
		}
	}
	return nil
}

// End completes a stream that came without its [DONE].
func (d *streamDecoder) End(emit func(*wire.Event)) {
	if !d.ended {
		d.emit = emit
		d.end()
	}
}

func (d *streamDecoder) end() {
	if d.finished {
		d.ended = true
		d.send(wire.Event{Kind: wire.EventEnd})
	}
}

func (d *streamDecoder) send(ev wire.Event) {
	d.ev = ev
	d.emit(&d.ev)
}

func (d *streamDecoder) start(id string) {
	if !d.started {
		d.started = true
		d.send(wire.Event{Kind: wire.EventStart, ID: id})
	}
}

// begin opens a block, closing the one before.
func (d *streamDecoder) begin(ev wire.Event) {
	d.start("")
	d.close()
	d.open, d.block, d.content = true, ev.Block, true
	ev.Kind, ev.Index = wire.EventBlock, d.index
	d.send(ev)
}

// part reads a piece of content, opening a block for it if none was.
func (d *streamDecoder) part(content jsonscan.Value) {
	for _, kind := range []struct {
		name string
		t    wire.BlockType
	}{{"text", wire.TextBlock}, {"thinking", wire.ThinkingBlock}} {
		v := d.doc.Get(content, kind.name)
		if v.Kind != jsonscan.String || v.End-v.Start <= len(`""`) {
			continue
		}
		if !d.open || d.plan || d.block != kind.t {
			d.begin(wire.Event{Block: kind.t})
		}
		d.text(v)
	}
}

func (d *streamDecoder) text(v jsonscan.Value) {
	if text := d.doc.Bytes(v); len(text) > 0 {
		d.ev = wire.Event{Kind: wire.EventDelta, Index: d.index, Text: text}
		d.emit(&d.ev)
	}
}

func (d *streamDecoder) close() {
	if d.open {
		d.open, d.plan = false, false
		d.send(wire.Event{Kind: wire.EventBlockEnd, Index: d.index})
		d.index++
	}
}

// cite hands on the sources of the open text. Those of thoughts and plans, and
// those that come after the text, have no place.
func (d *streamDecoder) cite(c jsonscan.Value) {
	if !d.open || d.block != wire.TextBlock {
		return
	}
	for _, source := range readCitation(&d.doc, c) {
		d.send(wire.Event{Kind: wire.EventCitation, Index: d.index, Citation: source})
	}
}

func (d *streamDecoder) finish(root jsonscan.Value) {
	d.start(d.doc.StrAt(root, "id"))
	delta := d.doc.Get(root, "delta")
	report := readReport(d.doc.Data, d.doc.Get(delta, "usage")).Checked()
	native := d.doc.StrAt(delta, "finish_reason")
	if report.Reported {
		d.send(wire.Event{Kind: wire.EventUsage, Usage: &report})
	}
	if f := readFinishError(d.doc.Data, delta, native); f != nil {
		d.fail(f)
		return
	}
	d.close()
	d.finished = true
	d.send(wire.Event{Kind: wire.EventFinish, Finish: finishOf(native, d.calls, d.content), Native: native})
}

func (d *streamDecoder) fail(f *wire.Failure) {
	d.start("")
	d.ended = true
	d.send(wire.Event{Kind: wire.EventFail, Failure: f})
}
