package responses

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// StreamEncoder returns an encoder for one answer.
func (Codec) StreamEncoder(reply *wire.Reply) wire.StreamEncoder { return &streamEncoder{reply: reply} }

// streamEncoder writes the complete sequence of events: whatever is added is
// done, numbers have no gap, and the last event holds all that was sent.
type streamEncoder struct {
	sequence
	reply *wire.Reply
	env   *envelope

	output []byte // the items that are done, without brackets
	items  int    // that were added

	// The message item that is open, if its id is not empty. It stays open
	// from one text to the next.
	message string
	parts   []byte
	nparts  int64

	block block
	call  call
	item  jsonw.Writer // scratch
	doc   wire.Doc     // scratch

	refused bool
	outcome outcome
	usage   wire.Report
	over    bool
}

// block is the block that is open.
type block struct {
	open  bool
	begun bool // its item was added: a call waits for the event after it
	shown bool // its summary part was added
	kind  wire.BlockType
	id    string // of its item
	raw   string

	text, notes, logprobs, fresh []byte
	nnotes                       int64

	signature string
	vendor    wire.Vendor
	signedID  string
}

// reset makes b ready for another block, keeping its buffers.
func (b *block) reset(kind wire.BlockType) {
	*b = block{open: true, kind: kind, text: b.text[:0], notes: b.notes[:0], logprobs: b.logprobs[:0], fresh: b.fresh[:0]}
}

// foreign reports whether the block has another vendor's signature.
func (b *block) foreign() bool { return b.signature != "" && b.vendor != wire.VendorOpenAI }

// Encode writes what ev adds.
func (e *streamEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	if e.over {
		return dst
	}
	e.B = dst
	if e.env == nil {
		e.start(ev)
	}
	switch ev.Kind {
	case wire.EventUsage:
		e.usage = *ev.Usage
		e.usage.Reported = true
	case wire.EventFail:
		e.over = true
		e.whole("response.failed", outcome{status: "failed", failure: ev.Failure})
	case wire.EventEnd:
		e.end()
	case wire.EventStart:
	default:
		if ev.Choice == 0 { // the dialect has one answer
			e.inChoice(ev)
		}
	}
	dst, e.B = e.B, nil
	return dst
}

// Identify implements wire.Identified.
func (e *streamEncoder) Identify(seen *wire.Seen) {
	if e.env != nil {
		seen.ID, seen.Model, seen.Sequence = e.env.id, e.env.model, e.seq-1
	}
}

func (e *streamEncoder) start(ev *wire.Event) {
	e.outcome.status = "completed"
	if ev.Kind == wire.EventStart {
		e.env = newEnvelope(e.reply, ev.ID, ev.Model, ev.Created)
	} else {
		e.env = newEnvelope(e.reply, "", "", 0)
	}
	running := outcome{status: "in_progress"}
	e.whole("response.created", running)
	e.whole("response.in_progress", running)
}

func (e *streamEncoder) end() {
	e.over = true
	e.closeMessage(e.outcome.status)
	name := "response.completed"
	switch e.outcome.status {
	case "incomplete":
		name = "response.incomplete"
	case "failed":
		name = "response.failed"
	}
	e.whole(name, e.outcome)
}

// whole writes an event that holds the response as it is by now.
func (e *streamEncoder) whole(name string, o outcome) {
	e.begin(name)
	e.Key("response")
	e.env.write(&e.Writer, o, e.output, &e.usage, e.usage.ServiceTier)
	e.finish()
}

// beginIn opens an event of the item that was added last.
func (e *streamEncoder) beginIn(name, id string) {
	e.begin(name)
	e.Str("item_id", id)
	e.Num("output_index", int64(e.items-1))
}

// added announces the item in the scratch writer.
func (e *streamEncoder) added() {
	e.items++
	e.withItem("response.output_item.added")
}

// done completes the item in the scratch writer, which becomes part of the
// response.
func (e *streamEncoder) done() {
	if len(e.output) > 0 {
		e.output = append(e.output, ',')
	}
	e.output = append(e.output, e.item.B...)
	e.withItem("response.output_item.done")
}

func (e *streamEncoder) withItem(name string) {
	e.begin(name)
	e.Num("output_index", int64(e.items-1))
	e.Key("item")
	e.B = append(e.B, e.item.B...)
	e.finish()
}

// scratch empties the scratch writer.
func (e *streamEncoder) scratch() *jsonw.Writer {
	e.item.B = e.item.B[:0]
	return &e.item
}

func (e *streamEncoder) nextID(prefix string) string { return itemID(prefix, e.reply, e.items) }

// carrier writes an item that carries another vendor's signature.
func (e *streamEncoder) carrier(belongs string) {
	b := &e.block
	id := e.nextID("rs")
	writeReasoning(e.scratch(), id, "in_progress", nil, "")
	e.added()
	writeReasoning(e.scratch(), id, "completed", nil, wire.Seal(b.vendor, belongs, b.signature))
	e.done()
}

func (e *streamEncoder) openMessage() {
	if e.message != "" {
		return
	}
	e.message = e.nextID("msg")
	writeMessage(e.scratch(), e.message, "in_progress", nil)
	e.added()
}

func (e *streamEncoder) closeMessage(status string) {
	if e.message == "" {
		return
	}
	if status != "incomplete" {
		status = "completed"
	}
	writeMessage(e.scratch(), e.message, status, e.parts)
	e.done()
	e.message, e.parts, e.nparts = "", e.parts[:0], 0
}
