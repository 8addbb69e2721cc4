package responses

import "github.com/weirproxy/weir/wire"

// inChoice writes what an event tells of the one answer.
func (e *streamEncoder) inChoice(ev *wire.Event) {
	b := &e.block
	switch ev.Kind {
	case wire.EventBlock:
		e.openBlock(ev)
	case wire.EventDelta:
		if b.open {
			e.delta(ev)
		}
	case wire.EventSignature:
		b.signature, b.vendor, b.signedID = ev.Signature, ev.Vendor, ev.ID
		if b.open && b.kind == wire.CallBlock && !b.begun {
			e.beginCall()
		}
	case wire.EventCitation:
		if b.open && b.kind == wire.TextBlock {
			e.citation(ev.Citation)
		}
	case wire.EventBlockEnd:
		if b.open {
			e.closeBlock()
			b.open = false
		}
	case wire.EventFinish:
		e.outcome = outcomeOf(ev.Finish, ev.Native, e.refused)
		e.closeMessage(e.outcome.status)
	}
}

func (e *streamEncoder) openBlock(ev *wire.Event) {
	b := &e.block
	b.reset(ev.Block)
	switch ev.Block {
	case wire.TextBlock, wire.RefusalBlock:
		e.openMessage()
		b.id = e.message
		e.refused = e.refused || ev.Block == wire.RefusalBlock
		e.part("response.content_part.added")
		return
	}
	e.closeMessage("completed")
	switch ev.Block {
	case wire.ThinkingBlock, wire.RedactedBlock:
		b.id = e.nextID("rs")
		writeReasoning(e.scratch(), b.id, "in_progress", nil, "")
		e.added()
	case wire.CallBlock:
		// The item waits for the next event: a signature must go before it.
		e.call = call{id: ev.ID, name: ev.Name, custom: ev.Custom}
	case wire.RawBlock:
		if b.open = ev.Vendor == wire.VendorOpenAI && ev.Raw != ""; b.open {
			b.raw = oneLine(ev.Raw)
			e.scratch().Raw(b.raw)
			e.added()
		}
	default:
		b.open = false // the dialect's answers hold no such block
	}
}

// beginCall adds the item of a call, after the carrier of its signature.
func (e *streamEncoder) beginCall() {
	b, c := &e.block, &e.call
	n := e.items
	if b.foreign() {
		n++
	}
	if c.id == "" {
		c.id = itemID("call", e.reply, n)
	}
	if n > e.items {
		e.carrier(carrierCall + c.id)
		b.signature = ""
	}
	if c.custom {
		c.item = e.nextID("ctc")
	} else {
		c.item = e.nextID("fc")
	}
	b.begun, b.id = true, c.item
	c.write(e.scratch(), "in_progress", nil)
	e.added()
}

func (e *streamEncoder) delta(ev *wire.Event) {
	b := &e.block
	if len(ev.Text) == 0 && len(ev.LogProbs) == 0 {
		return
	}
	switch b.kind {
	case wire.TextBlock:
		e.beginIn("response.output_text.delta", b.id)
		e.Num("content_index", e.nparts)
		e.Key("delta")
		e.Text(ev.Text)
		e.Key("logprobs")
		e.Array()
		if len(ev.LogProbs) > 0 {
			b.fresh = appendLogProbs(b.fresh[:0], &e.doc, ev.LogProbs)
			e.B = append(e.B, b.fresh...)
			if len(b.logprobs) > 0 && len(b.fresh) > 0 {
				b.logprobs = append(b.logprobs, ',')
			}
			b.logprobs = append(b.logprobs, b.fresh...)
		}
		e.EndArray()
	case wire.RefusalBlock:
		e.beginIn("response.refusal.delta", b.id)
		e.Num("content_index", e.nparts)
		e.Key("delta")
		e.Text(ev.Text)
	case wire.ThinkingBlock:
		if !b.shown {
			b.shown = true
			e.summaryPart("response.reasoning_summary_part.added")
		}
		e.beginIn("response.reasoning_summary_text.delta", b.id)
		e.Num("summary_index", 0)
		e.Key("delta")
		e.Text(ev.Text)
	case wire.CallBlock:
		if !b.begun {
			e.beginCall()
		}
		e.arguments(ev.Text)
		return
	default:
		return
	}
	e.finish()
	b.text = append(b.text, ev.Text...)
}

// arguments writes a piece of a call's arguments.
func (e *streamEncoder) arguments(text []byte) {
	name := "response.function_call_arguments.delta"
	if e.call.custom {
		name = "response.custom_tool_call_input.delta"
	}
	e.beginIn(name, e.block.id)
	e.Key("delta")
	e.Text(text)
	e.finish()
	e.block.text = append(e.block.text, text...)
}

func (e *streamEncoder) citation(c *wire.Citation) {
	b := &e.block
	if len(b.notes) > 0 {
		b.notes = append(b.notes, ',')
	}
	writeCitation(e.scratch(), c)
	b.notes = append(b.notes, e.item.B...)
	e.beginIn("response.output_text.annotation.added", b.id)
	e.Num("content_index", e.nparts)
	e.Num("annotation_index", b.nnotes)
	e.Key("annotation")
	e.B = append(e.B, e.item.B...)
	e.finish()
	b.nnotes++
}

func (e *streamEncoder) closeBlock() {
	b := &e.block
	switch b.kind {
	case wire.TextBlock, wire.RefusalBlock:
		e.closeText()
	case wire.ThinkingBlock, wire.RedactedBlock:
		if b.shown {
			e.beginIn("response.reasoning_summary_text.done", b.id)
			e.Num("summary_index", 0)
			e.Key("text")
			e.Text(b.text)
			e.finish()
			e.summaryPart("response.reasoning_summary_part.done")
		}
		writeReasoning(e.scratch(), b.id, "completed", b.text, encrypted(b.vendor, b.signedID, b.signature, b.kind == wire.RedactedBlock))
		e.done()
	case wire.CallBlock:
		e.closeCall()
	case wire.RawBlock:
		e.scratch().Raw(b.raw)
		e.done()
	}
}

func (e *streamEncoder) closeText() {
	b := &e.block
	if b.kind == wire.RefusalBlock {
		e.beginIn("response.refusal.done", b.id)
		e.Num("content_index", e.nparts)
		e.Key("refusal")
		e.Text(b.text)
	} else {
		e.beginIn("response.output_text.done", b.id)
		e.Num("content_index", e.nparts)
		e.Key("text")
		e.Text(b.text)
		e.Key("logprobs")
		e.Array()
		e.B = append(e.B, b.logprobs...)
		e.EndArray()
	}
	e.finish()
	e.part("response.content_part.done")
	if len(e.parts) > 0 {
		e.parts = append(e.parts, ',')
	}
	e.parts = append(e.parts, e.item.B...)
	e.nparts++
	if b.foreign() {
		e.closeMessage("completed")
		e.carrier(carrierText)
	}
}

func (e *streamEncoder) closeCall() {
	b, c := &e.block, &e.call
	if !b.begun {
		e.beginCall()
	}
	name, member := "response.custom_tool_call_input.done", "input"
	if !c.custom {
		name, member = "response.function_call_arguments.done", "arguments"
		if len(b.text) == 0 {
			e.arguments([]byte("{}")) // clients parse it
		}
	}
	e.beginIn(name, b.id)
	e.Key(member)
	e.Text(b.text)
	if !c.custom {
		e.Str("name", c.name)
	}
	e.finish()
	c.write(e.scratch(), c.status(b.text), b.text)
	e.done()
	if b.foreign() { // it came after the arguments had begun
		e.carrier(carrierCall + c.id)
	}
}

// part writes an event with the open text as a part, and leaves the part in
// the scratch writer.
func (e *streamEncoder) part(name string) {
	b := &e.block
	writePart(e.scratch(), b.kind == wire.RefusalBlock, b.text, b.notes, b.logprobs)
	e.beginIn(name, b.id)
	e.Num("content_index", e.nparts)
	e.Key("part")
	e.B = append(e.B, e.item.B...)
	e.finish()
}

func (e *streamEncoder) summaryPart(name string) {
	b := &e.block
	e.beginIn(name, b.id)
	e.Num("summary_index", 0)
	e.Key("part")
	e.Object()
	e.Str("type", "summary_text")
	e.Key("text")
	e.Text(b.text)
	e.End()
	e.finish()
}
