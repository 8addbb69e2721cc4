package responses

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// partOf reads an event about a part of an item. Those of tools that the
// vendor runs, and those of tomorrow, tell nothing.
func (d *streamDecoder) partOf(m *message) {
	switch string(m.kind) {
	case `"response.output_text.delta"`:
		d.text(m, wire.TextBlock)
	case `"response.refusal.delta"`:
		d.text(m, wire.RefusalBlock)
	case `"response.function_call_arguments.delta"`, `"response.custom_tool_call_input.delta"`:
		if it := d.call(m.output); it != nil {
			d.delta(it, d.doc.Bytes(m.delta), nil)
		}
	case `"response.reasoning_summary_text.delta"`:
		d.reasoning(m.output, m.summary, false, m.delta)
	case `"response.reasoning_text.delta"`:
		d.reasoning(m.output, m.content, true, m.delta)
	case `"response.content_part.added"`:
		d.partAdded(m)
	case `"response.content_part.done"`:
		if it := d.known(m.output); it != nil && it.open && it.kind != wire.ThinkingBlock && it.kind != wire.CallBlock {
			if it.cites == 0 {
				d.citations(it, m.part)
			}
			d.closeBlock(it)
		}
	case `"response.output_text.annotation.added"`:
		d.annotation(m)

	// The whole text matters only if no piece of it has come.
	case `"response.output_text.done"`:
		d.wholeText(m, wire.TextBlock, m.text)
	case `"response.refusal.done"`:
		d.wholeText(m, wire.RefusalBlock, m.refusal)
	case `"response.function_call_arguments.done"`:
		d.wholeArguments(m.output, m.arguments)
	case `"response.custom_tool_call_input.done"`:
		d.wholeArguments(m.output, m.input)
	case `"response.reasoning_summary_text.done"`:
		d.wholeThought(m.output, m.summary, false, m.text)
	case `"response.reasoning_text.done"`:
		d.wholeThought(m.output, m.content, true, m.text)
	}
}

// known is the item of an index that was added, nil if none was.
func (d *streamDecoder) known(index int64) *item {
	for _, it := range d.queue {
		if it.index == index && !it.done {
			return it
		}
	}
	return nil
}

// call is the open call of an index. Without its name there is none.
func (d *streamDecoder) call(index int64) *item {
	if it := d.known(index); it != nil && it.open && it.kind == wire.CallBlock {
		return it
	}
	return nil
}

func (d *streamDecoder) partAdded(m *message) {
	switch d.doc.StrAt(m.part, "type") {
	case "output_text":
		d.start(jsonscan.Value{})
		d.openPart(d.find(m.output, false), wire.TextBlock)
	case "refusal":
		d.start(jsonscan.Value{})
		d.openPart(d.find(m.output, false), wire.RefusalBlock)
	}
}

func (d *streamDecoder) text(m *message, kind wire.BlockType) {
	d.start(jsonscan.Value{})
	it := d.find(m.output, false)
	if !it.open || it.kind != kind {
		d.openPart(it, kind)
	}
	var logprobs []byte
	if m.logits.Kind == jsonscan.Array && m.logits.End-m.logits.Start > len("[]") {
		logprobs = append(d.logprobs[:0], `{"content":`...)
		logprobs = append(logprobs, m.logits.Raw(d.doc.Data)...)
		logprobs = append(logprobs, `,"refusal":null}`...)
		d.logprobs = logprobs
	}
	d.delta(it, d.doc.Bytes(m.delta), logprobs)
}

func (d *streamDecoder) wholeText(m *message, kind wire.BlockType, text jsonscan.Value) {
	d.start(jsonscan.Value{})
	it := d.find(m.output, false)
	if !it.open && it.parts <= m.content {
		d.openPart(it, kind)
	}
	if it.open && it.kind == kind && it.got == 0 {
		d.delta(it, d.doc.Bytes(text), nil)
	}
}

func (d *streamDecoder) wholeArguments(index int64, text jsonscan.Value) {
	if it := d.call(index); it != nil && it.got == 0 {
		d.delta(it, d.doc.Bytes(text), nil)
	}
}

func (d *streamDecoder) annotation(m *message) {
	it := d.known(m.output)
	if it == nil || !it.open || it.kind != wire.TextBlock {
		return
	}
	if c, ok := readCitation(&d.doc, m.annotation); ok {
		it.cites++
		d.tell(it, &wire.Event{Kind: wire.EventCitation, Citation: &c})
	}
}

// reasoning reads a piece of a summary or of raw reasoning. An item that has
// both gives what came first.
func (d *streamDecoder) reasoning(index, part int64, raw bool, text jsonscan.Value) {
	d.start(jsonscan.Value{})
	it := d.find(index, false)
	switch {
	case !it.open:
		it.raw, it.part, it.seen = raw, part, 0
		d.openBlock(it, &wire.Event{Block: wire.ThinkingBlock})
	case it.kind != wire.ThinkingBlock, it.raw != raw:
		return
	case part != it.part:
		it.part, it.seen = part, 0
		d.delta(it, []byte(summaryBreak), nil)
	}
	b := d.doc.Bytes(text)
	it.seen += len(b)
	d.delta(it, b, nil)
}

func (d *streamDecoder) wholeThought(index, part int64, raw bool, text jsonscan.Value) {
	it := d.known(index)
	if it == nil || !it.open || it.part != part || it.seen == 0 {
		d.reasoning(index, part, raw, text)
	}
}
