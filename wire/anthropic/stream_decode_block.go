package anthropic

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// maxRaw bounds what is collected of a block that is told as a whole.
const maxRaw = 16 << 20

// blockStart opens a block. A block that was not closed is over with it.
func (d *streamDecoder) blockStart(upstream int64, v jsonscan.Value) error {
	d.start(jsonscan.Value{})
	if d.finished {
		return fmt.Errorf("reading a block after the stop reason: %w", wire.ErrMalformed)
	}
	d.blockStop()
	d.open, d.announced, d.upstream = true, true, upstream
	doc := &d.doc
	switch kind := doc.Get(v, "type"); {
	case kind.Is(doc.Data, "text"):
		d.begin(wire.TextBlock)
		d.text(doc.Bytes(doc.Get(v, "text")))
		for c := range doc.Elements(doc.Get(v, "citations")) {
			d.citation(c)
		}
	case kind.Is(doc.Data, "thinking"):
		d.begin(wire.ThinkingBlock)
		d.text(doc.Bytes(doc.Get(v, "thinking")))
		d.signature(doc.StrAt(v, "signature"))
	case kind.Is(doc.Data, "redacted_thinking"):
		d.begin(wire.RedactedBlock)
		d.signature(doc.StrAt(v, "data"))
	case kind.Is(doc.Data, "tool_use"):
		d.calls, d.kind = true, wire.CallBlock
		d.ev = wire.Event{Kind: wire.EventBlock, Block: wire.CallBlock, Index: d.index, ID: doc.StrAt(v, "id"), Name: doc.StrAt(v, "name")}
		d.emit(&d.ev)
		d.input = append(d.input, argumentsOf(doc, v)...) // unless deltas follow
	case kind.Kind != jsonscan.String:
		d.open = false
		return fmt.Errorf("reading start of block: %w", wire.ErrMalformed)
	default:
		d.kind, d.whole = wire.RawBlock, doc.Raw(v)
	}
	return nil
}

func (d *streamDecoder) begin(kind wire.BlockType) {
	d.kind = kind
	d.ev = wire.Event{Kind: wire.EventBlock, Block: kind, Index: d.index}
	d.emit(&d.ev)
}

func (d *streamDecoder) text(b []byte) {
	if len(b) > 0 {
		d.ev = wire.Event{Kind: wire.EventDelta, Index: d.index, Text: b}
		d.emit(&d.ev)
	}
}

func (d *streamDecoder) signature(s string) {
	if s != "" {
		d.ev = wire.Event{Kind: wire.EventSignature, Index: d.index, Signature: s, Vendor: wire.VendorAnthropic}
		d.emit(&d.ev)
	}
}

func (d *streamDecoder) citation(v jsonscan.Value) {
	c := citationOf(&d.doc, v)
	d.ev = wire.Event{Kind: wire.EventCitation, Index: d.index, Citation: &c}
	d.emit(&d.ev)
}

// delta goes on with the open block. Servers that only look like the vendor
// forget content_block_start; text and thinking do without it.
func (d *streamDecoder) delta(upstream int64, v jsonscan.Value) error {
	doc := &d.doc
	kind := doc.Get(v, "type")
	d.start(jsonscan.Value{})
	switch {
	case kind.Is(doc.Data, "text_delta"):
		return d.textDelta(upstream, wire.TextBlock, doc.Get(v, "text"))
	case kind.Is(doc.Data, "thinking_delta"):
		return d.textDelta(upstream, wire.ThinkingBlock, doc.Get(v, "thinking"))
	case !d.open || upstream != d.upstream:
		if kind.Is(doc.Data, "input_json_delta") {
			return fmt.Errorf("reading arguments without a call: %w", wire.ErrMalformed)
		}
		return nil
	case kind.Is(doc.Data, "input_json_delta"):
		return d.inputDelta(doc.Bytes(doc.Get(v, "partial_json")))
	case kind.Is(doc.Data, "signature_delta"):
		if d.kind == wire.ThinkingBlock {
			d.signature(doc.StrAt(v, "signature"))
		}
	case kind.Is(doc.Data, "citations_delta"):
		if d.kind == wire.TextBlock {
			d.citation(doc.Get(v, "citation"))
		}
	case kind.Is(doc.Data, "compaction_delta"):
		if d.kind == wire.RawBlock {
			d.whole = withMember(d.whole, "content", doc.RawAt(v, "content"))
		}
	}
	return nil
}

func (d *streamDecoder) textDelta(upstream int64, kind wire.BlockType, v jsonscan.Value) error {
	if v.Kind != jsonscan.String || v.End-v.Start <= len(`""`) {
		return nil
	}
	if !d.open || d.upstream != upstream || d.kind != kind {
		if d.finished {
			return fmt.Errorf("reading text after the stop reason: %w", wire.ErrMalformed)
		}
		d.blockStop()
		d.open, d.announced, d.upstream = true, false, upstream
		d.begin(kind)
	}
	d.text(d.doc.Bytes(v))
	return nil
}

func (d *streamDecoder) inputDelta(b []byte) error {
	switch {
	case len(b) == 0:
	case d.kind == wire.CallBlock:
		d.spoke = true
		d.text(b)
	case d.kind == wire.RawBlock:
		if len(d.input)+len(b) > maxRaw {
			return fmt.Errorf("reading input of a server tool: %w", wire.ErrMalformed)
		}
		d.input = append(d.input, b...)
	}
	return nil
}

// blockStop closes the open block. A call without arguments ends as {}.
func (d *streamDecoder) blockStop() {
	if !d.open {
		return
	}
	switch d.kind {
	case wire.CallBlock:
		if !d.spoke {
			if len(d.input) == 0 {
				d.input = append(d.input, "{}"...)
			}
			d.text(d.input)
		}
	case wire.RawBlock:
		if len(d.input) > 0 {
			d.whole = withMember(d.whole, "input", string(d.input))
		}
		d.ev = wire.Event{Kind: wire.EventBlock, Block: wire.RawBlock, Index: d.index, Vendor: wire.VendorAnthropic, Raw: d.whole}
		d.emit(&d.ev)
	}
	d.ev = wire.Event{Kind: wire.EventBlockEnd, Index: d.index}
	d.emit(&d.ev)
	d.index++
	d.open, d.spoke, d.whole, d.input = false, false, "", d.input[:0]
}

// withMember is the object raw with the value of a member replaced or added.
// What is no JSON, such as input that was cut off, changes nothing.
func withMember(raw, name, value string) string {
	if _, err := wire.ParseAnswer([]byte(value)); err != nil {
		return raw
	}
	data := []byte(raw)
	root, err := wire.ParseAnswer(data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return raw
	}
	if v := jsonscan.Lookup(data, root, name); v.Exists() {
		return raw[:v.Start] + value + raw[v.End:]
	}
	comma := ""
	for range jsonscan.Members(data, root) {
		comma = ","
		break
	}
	return raw[:root.End-1] + comma + `"` + name + `":` + value + raw[root.End-1:]
}
