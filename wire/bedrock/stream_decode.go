package bedrock

import (
	"encoding/base64"
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamDecoder returns a decoder of one ConverseStream answer.
func (Codec) StreamDecoder() wire.StreamDecoder { return &streamDecoder{} }

// maxHeld bounds what is held of a block that is handed on whole.
const maxHeld = 16 << 20

type streamDecoder struct {
	doc  wire.Doc
	ev   wire.Event
	emit func(*wire.Event)

	started, finished, ended bool
	content, calls           bool

	open  bool
	block wire.BlockType
	index int   // of the open block, or of the next
	at    int64 // the vendor's index of the open block

	held []byte // signature or redacted content so far, or a raw block's
	raw  rawBlock

	later wire.Held
}

// Decode reads one event.
func (d *streamDecoder) Decode(ev *sse.Event, emit func(*wire.Event)) error {
	if !ev.HasData || d.ended {
		return nil
	}
	if err := d.doc.Reset(ev.Data); err != nil || d.doc.Root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	d.emit = emit
	root := d.doc.Root
	switch string(ev.Name) {
	case "messageStart":
		d.start()
	case "contentBlockStart", "contentBlockDelta", "contentBlockStop":
		return d.turn(ev)
	case "messageStop":
		if err := d.releaseAll(ev); err != nil {
			return err
		}
		d.stop(d.doc.Root)
	case "metadata":
		return d.metadata(root)
	default:
		if f := readException(string(ev.Name), ev.Data, root); f != nil {
			d.start()
			d.ended = true
			d.send(wire.Event{Kind: wire.EventFail, Failure: f})
		}
	}
	return nil
}

// End completes a stream that stopped without its metadata.
func (d *streamDecoder) End(emit func(*wire.Event)) {
	if d.finished && !d.ended {
		d.emit = emit
		d.ended = true
		d.send(wire.Event{Kind: wire.EventEnd})
	}
}

func (d *streamDecoder) send(ev wire.Event) {
	d.ev = ev
	d.emit(&d.ev)
}

func (d *streamDecoder) start() {
	if !d.started {
		d.started = true
		d.send(wire.Event{Kind: wire.EventStart})
	}
}

// begin opens a block, closing the one before.
func (d *streamDecoder) begin(t wire.BlockType, at int64) {
	d.start()
	d.close()
	d.open, d.block, d.at, d.content = true, t, at, true
	d.held = d.held[:0]
}

// ensure opens a block of type t for a delta: text and reasoning have no
// event of their own that opens them.
func (d *streamDecoder) ensure(t wire.BlockType, at int64) {
	if d.open && d.at == at && d.block == t {
		return
	}
	d.begin(t, at)
	d.send(wire.Event{Kind: wire.EventBlock, Index: d.index, Block: t})
}

func (d *streamDecoder) blockStart(root jsonscan.Value) error {
	if d.finished {
		return nil
	}
	at := d.doc.IntAt(root, "contentBlockIndex")
	for kind, v := range d.doc.Members(d.doc.Get(root, "start")) {
		if kind == "toolUse" {
			if t := d.doc.Get(v, "type"); !t.Exists() || t.Is(d.doc.Data, "tool_use") {
				d.begin(wire.CallBlock, at)
				d.calls = true
				d.send(wire.Event{Kind: wire.EventBlock, Index: d.index, Block: wire.CallBlock, ID: d.doc.StrAt(v, "toolUseId"), Name: d.doc.StrAt(v, "name")})
				return nil
			}
		}
		d.begin(wire.RawBlock, at)
		d.raw.start(&d.doc, kind, v)
		return nil
	}
	return nil
}

func (d *streamDecoder) delta(root jsonscan.Value) error {
	if d.finished {
		return nil
	}
	at := d.doc.IntAt(root, "contentBlockIndex")
	for kind, v := range d.doc.Members(d.doc.Get(root, "delta")) {
		if d.open && d.block == wire.RawBlock && d.at == at {
			return d.raw.add(&d.doc, kind, v)
		}
		switch kind {
		case "text":
			d.ensure(wire.TextBlock, at)
			d.text(v)
		case "toolUse":
			if !d.open || d.at != at || d.block != wire.CallBlock {
				return fmt.Errorf("reading stream event: %w: arguments of no open call", wire.ErrMalformed)
			}
			d.text(d.doc.Get(v, "input"))
		case "reasoningContent":
			return d.reasoning(v, at)
		case "citation":
			d.ensure(wire.TextBlock, at)
			r := reader{Doc: &d.doc}
			c := r.citation(v)
			d.send(wire.Event{Kind: wire.EventCitation, Index: d.index, Citation: &c})
		}
	}
	return nil
}

func (d *streamDecoder) text(v jsonscan.Value) {
	if text := d.doc.Bytes(v); len(text) > 0 {
		d.ev = wire.Event{Kind: wire.EventDelta, Index: d.index, Text: text}
		d.emit(&d.ev)
	}
}

func (d *streamDecoder) reasoning(v jsonscan.Value, at int64) error {
	for kind, val := range d.doc.Members(v) {
		switch kind {
		case "text":
			d.ensure(wire.ThinkingBlock, at)
			d.text(val)
		case "signature":
			d.ensure(wire.ThinkingBlock, at)
			d.held = append(d.held, d.doc.Bytes(val)...)
		case "redactedContent":
			d.ensure(wire.RedactedBlock, at)
			d.held = joinBase64(d.held, d.doc.Bytes(val))
		}
	}
	if len(d.held) > maxHeld {
		return fmt.Errorf("reading stream event: %w: a signature without end", wire.ErrMalformed)
	}
	return nil
}

// joinBase64 appends a blob's next piece, each in base64 of its own.
func joinBase64(held, piece []byte) []byte {
	if len(held) == 0 || held[len(held)-1] != '=' {
		return append(held, piece...)
	}
	first, err := base64.StdEncoding.DecodeString(string(held))
	second, err2 := base64.StdEncoding.DecodeString(string(piece))
	if err != nil || err2 != nil {
		return append(held, piece...)
	}
	return base64.StdEncoding.AppendEncode(held[:0], append(first, second...))
}

// close ends the open block. What of it was held is handed on now.
func (d *streamDecoder) close() {
	if !d.open {
		return
	}
	d.open = false
	switch {
	case d.block == wire.RawBlock:
		d.send(wire.Event{Kind: wire.EventBlock, Index: d.index, Block: wire.RawBlock, Vendor: wire.VendorBedrock, Raw: d.raw.finish()})
	case len(d.held) == 0:
	case d.block == wire.ThinkingBlock:
		vendor, id, signature := wire.OpenSignature(wire.VendorAnthropic, string(d.held))
		d.send(wire.Event{Kind: wire.EventSignature, Index: d.index, Signature: signature, Vendor: vendor, ID: id})
	case d.block == wire.RedactedBlock:
		vendor, id, signature := openRedacted(d.held)
		d.send(wire.Event{Kind: wire.EventSignature, Index: d.index, Signature: signature, Vendor: vendor, ID: id})
	}
	d.send(wire.Event{Kind: wire.EventBlockEnd, Index: d.index})
	d.index++
}

func (d *streamDecoder) stop(root jsonscan.Value) {
	if d.finished {
		return
	}
	d.start()
	d.close()
	d.finished = true
	native := d.doc.StrAt(root, "stopReason")
	d.send(wire.Event{
		Kind: wire.EventFinish, Finish: finishOf(native, d.calls, d.content), Native: native,
		StopString: d.doc.StrAt(root, "additionalModelResponseFields", "stop_sequence"),
	})
}

// metadata brings the usage, and is the end.
func (d *streamDecoder) metadata(root jsonscan.Value) error {
	if !d.finished {
		return fmt.Errorf("reading stream event: %w: metadata before messageStop", wire.ErrMalformed)
	}
	if report := readReport(d.doc.Data, d.doc.Get(root, "usage")).Checked(); report.Reported {
		report.ServiceTier = d.doc.StrAt(root, "serviceTier", "type")
		d.send(wire.Event{Kind: wire.EventUsage, Usage: &report})
	}
	d.ended = true
	d.send(wire.Event{Kind: wire.EventEnd})
	return nil
}
