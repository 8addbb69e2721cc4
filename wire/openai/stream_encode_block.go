package openai

import (
	"unicode/utf8"

	"github.com/weirproxy/weir/wire"
)

func (e *streamEncoder) block(dst []byte, c *encodedChoice, ev *wire.Event) []byte {
	c.kind = ev.Block
	switch ev.Block {
	case wire.TextBlock:
		c.said = true
	case wire.RefusalBlock:
		c.refused = true
	case wire.CallBlock:
		return e.callStart(dst, c, ev)
	}
	return dst
}

// callStart is the only chunk of a call with its id, type and name: clients
// concatenate them when they come again.
func (e *streamEncoder) callStart(dst []byte, c *encodedChoice, ev *wire.Event) []byte {
	c.call, c.empty, c.custom = c.calls, true, ev.Custom
	c.calls++
	id := ev.ID
	if id == "" {
		id = callID(e.reply, e.calls)
	}
	e.calls++
	if e.legacy && c.call > 0 { // functions are called one at a time
		return dst
	}
	w := e.open(dst, c)
	if e.legacy {
		w.Key("function_call")
		w.Object()
		w.Str("name", ev.Name)
		w.Str("arguments", "")
		w.End()
		return e.close(w, nil)
	}
	w.Key("tool_calls")
	w.Array()
	w.Object()
	w.Num("index", int64(c.call))
	w.Str("id", signedID(id, ev.Vendor, ev.Signature))
	kind, args := "function", "arguments"
	if ev.Custom {
		kind, args = "custom", "input"
	}
	w.Str("type", kind)
	w.Key(kind)
	w.Object()
	w.Str("name", ev.Name)
	w.Str(args, "")
	w.End()
	w.End()
	w.EndArray()
	return e.close(w, nil)
}

func (e *streamEncoder) arguments(dst []byte, c *encodedChoice, text, logprobs []byte) []byte {
	c.empty = false
	if e.legacy && c.call > 0 {
		return dst
	}
	w := e.open(dst, c)
	switch {
	case e.legacy:
		w.Key("function_call")
		w.Object()
		w.Key("arguments")
		w.Text(text)
		w.End()
	default:
		w.Key("tool_calls")
		w.Array()
		w.Object()
		w.Num("index", int64(c.call))
		if c.custom {
			w.Key("custom")
			w.Object()
			w.Key("input")
		} else {
			w.Key("function")
			w.Object()
			w.Key("arguments")
		}
		w.Text(text)
		w.End()
		w.End()
		w.EndArray()
	}
	return e.close(w, logprobs)
}

func (e *streamEncoder) delta(dst []byte, c *encodedChoice, ev *wire.Event) []byte {
	if len(ev.Text) == 0 && len(ev.LogProbs) == 0 {
		return dst
	}
	name := "content"
	switch c.kind {
	case wire.TextBlock:
		c.chars += int64(utf8.RuneCount(ev.Text))
	case wire.RefusalBlock:
		name = "refusal"
	case wire.ThinkingBlock:
		name = "reasoning_content"
	case wire.CallBlock:
		return e.arguments(dst, c, ev.Text, ev.LogProbs)
	default:
		return dst // a block of another vendor
	}
	w := e.open(dst, c)
	w.Key(name)
	w.Text(ev.Text)
	return e.close(w, ev.LogProbs)
}

// signature writes what proves the open block. That of thinking has no text:
// the text went out as it came.
func (e *streamEncoder) signature(dst []byte, c *encodedChoice, ev *wire.Event) []byte {
	if ev.Signature == "" {
		return dst
	}
	b := wire.Block{Type: c.kind, Signature: ev.Signature, Vendor: ev.Vendor, ID: ev.ID}
	w := e.open(dst, c)
	switch c.kind {
	case wire.ThinkingBlock, wire.RedactedBlock:
		w.Key("reasoning_details")
		w.Array()
		writeDetail(&w, &b, c.thoughts)
		w.EndArray()
	case wire.TextBlock:
		writeGoogle(&w, &b)
	case wire.CallBlock:
		if e.legacy {
			return dst
		}
		w.Key("tool_calls")
		w.Array()
		w.Object()
		w.Num("index", int64(c.call))
		writeGoogle(&w, &b)
		w.End()
		w.EndArray()
	default:
		return dst
	}
	return e.close(w, nil)
}

func (e *streamEncoder) citation(dst []byte, c *encodedChoice, ev *wire.Event) []byte {
	if c.kind != wire.TextBlock {
		return dst
	}
	w := e.open(dst, c)
	w.Key("annotations")
	w.Array()
	writeAnnotation(&w, ev.Citation, c.before)
	w.EndArray()
	return e.close(w, nil)
}

func (e *streamEncoder) blockEnd(dst []byte, c *encodedChoice) []byte {
	switch c.kind {
	case wire.TextBlock:
		c.before, c.chars = c.before+c.chars, 0
	case wire.ThinkingBlock, wire.RedactedBlock:
		c.thoughts++
	case wire.CallBlock:
		if c.empty && !c.custom { // clients parse the arguments
			return e.arguments(dst, c, []byte("{}"), nil)
		}
	}
	return dst
}
