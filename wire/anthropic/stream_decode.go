package anthropic

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// streamDecoder reads a stream of messages. Blocks follow each other in the
// dialect; what servers send in between of others waits for its turn.
type streamDecoder struct {
	doc    wire.Doc
	ev     wire.Event
	emit   func(*wire.Event)
	report report

	started, finished, over bool
	calls                   bool

	open      bool
	announced bool // by a content_block_start, so that its end is too
	kind      wire.BlockType
	index     int   // of the open block, or of the next one
	upstream  int64 // the upstream's index of the open block

	// whole is the open raw block, which is told when it is complete; input is
	// what came of its input, and the arguments that a call began with.
	whole string
	input []byte
	spoke bool // the open call has told some of its arguments

	held wire.Held
}

// Decode reads one event. Types of tomorrow tell nothing.
func (d *streamDecoder) Decode(ev *sse.Event, emit func(*wire.Event)) error {
	if d.over || !ev.HasData {
		return nil
	}
	d.emit = emit
	if err := d.doc.Reset(ev.Data); err != nil || d.doc.Root.Kind != jsonscan.ObjectKind {
		if string(ev.Name) == "data" { // OpenRouter ends with `event: data`, `data: [DONE]`
			return nil
		}
		return fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	doc, root := &d.doc, d.doc.Root
	switch kind := doc.Get(root, "type"); string(kind.Raw(doc.Data)) {
	case `"message_start"`:
		d.start(doc.Get(root, "message"))
		return nil
	case `"content_block_start"`, `"content_block_delta"`, `"content_block_stop"`:
		return d.block(ev)
	case `"message_delta"`:
		if err := d.releaseAll(ev); err != nil {
			return err
		}
		d.messageDelta(doc.Root)
		return nil
	case `"message_stop"`:
		if err := d.releaseAll(ev); err != nil {
			return err
		}
		d.end()
		return nil
	case `"error"`, "":
		if e := doc.Get(root, "error"); e.Exists() && e.Kind != jsonscan.Null || string(ev.Name) == "error" {
			d.start(jsonscan.Value{})
			d.over = true
			d.ev = wire.Event{Kind: wire.EventFail, Failure: failureOf(doc)}
			emit(&d.ev)
		}
	}
	return nil
}

// End adds nothing: message_stop is the end, and without it the stream was cut.
func (d *streamDecoder) End(func(*wire.Event)) {}

// start tells the start once; some servers repeat message_start.
func (d *streamDecoder) start(message jsonscan.Value) {
	if !d.started {
		d.started = true
		d.ev = wire.Event{Kind: wire.EventStart, ID: d.doc.StrAt(message, "id"), Model: d.doc.StrAt(message, "model")}
		d.emit(&d.ev)
	}
	d.usage(d.doc.Get(message, "usage"))
}

func (d *streamDecoder) usage(v jsonscan.Value) {
	if d.report.read(&d.doc, v) {
		d.ev = wire.Event{Kind: wire.EventUsage, Usage: &d.report.Report}
		d.emit(&d.ev)
	}
}

// messageDelta reads usage and the reason, which comes after the last block.
func (d *streamDecoder) messageDelta(root jsonscan.Value) {
	d.start(jsonscan.Value{})
	d.usage(d.doc.Get(root, "usage"))
	delta := d.doc.Get(root, "delta")
	if reason := d.doc.StrAt(delta, "stop_reason"); reason != "" {
		d.finish(wire.Event{
			Finish:      finishOf(reason),
			Native:      reason,
			StopString:  d.doc.StrAt(delta, "stop_sequence"),
			Explanation: d.doc.StrAt(delta, "stop_details", "explanation"),
		})
	}
}

func (d *streamDecoder) finish(ev wire.Event) {
	if d.finished {
		return
	}
	d.blockStop()
	d.finished = true
	ev.Kind = wire.EventFinish
	d.ev = ev
	d.emit(&d.ev)
}

func (d *streamDecoder) end() {
	d.start(jsonscan.Value{})
	if d.calls {
		d.finish(wire.Event{Finish: wire.FinishTools})
	} else {
		d.finish(wire.Event{Finish: wire.FinishStop})
	}
	d.over = true
	d.ev = wire.Event{Kind: wire.EventEnd}
	d.emit(&d.ev)
}

var _ wire.StreamDecoder = (*streamDecoder)(nil) // interface guard
