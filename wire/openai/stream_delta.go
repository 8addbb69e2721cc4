package openai

import (
	"bytes"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// delta reads the delta of a chunk. Thinking comes before content, and
// content before calls, wherever they stand in it.
func (c *streamChoice) delta(d *wire.Doc, v jsonscan.Value) {
	var content, refusal, reasoning, details, calls, function, google, annotations jsonscan.Value
	for key, val := range jsonscan.Members(d.Data, v) {
		switch string(quoted(d.Data, key)) {
		case `"content"`:
			content = val
		case `"refusal"`:
			refusal = val
		case `"reasoning_content"`, `"reasoning"`:
			if val.Kind == jsonscan.String && val.End-val.Start > 2 {
				reasoning = val
			}
		case `"reasoning_details"`:
			details = val
		case `"tool_calls"`:
			calls = val
		case `"function_call"`:
			function = val
		case `"extra_content"`:
			google = val
		case `"annotations"`:
			annotations = val
		}
	}
	if details.End-details.Start > 2 {
		c.details(d, details, reasoning)
	} else if reasoning.Exists() {
		c.text(wire.ThinkingBlock, d.Bytes(reasoning))
	}
	switch content.Kind {
	case jsonscan.String:
		c.text(wire.TextBlock, d.Bytes(content))
	case jsonscan.Array:
		c.parts(d, content)
	}
	if refusal.Kind == jsonscan.String {
		c.text(wire.RefusalBlock, d.Bytes(refusal))
	}
	if annotations.Kind == jsonscan.Array {
		c.annotations(d, annotations)
	}
	for call := range d.Elements(calls) {
		c.call(d, call)
	}
	if function.Kind == jsonscan.ObjectKind {
		c.function(d, function)
	}
	if google.Kind == jsonscan.ObjectKind {
		if vendor, id, signature := googleSignature(d, v); signature != "" && c.open != nil && (c.open.kind == wire.TextBlock || c.open.call) {
			c.sign(c.open, vendor, id, signature)
		}
	}
}

// parts reads the content arrays of Mistral's reasoning models.
func (c *streamChoice) parts(d *wire.Doc, content jsonscan.Value) {
	for p := range d.Elements(content) {
		switch {
		case p.Kind == jsonscan.String:
			c.text(wire.TextBlock, d.Bytes(p))
		case d.Get(p, "type").Is(d.Data, "thinking"):
			thought := d.Get(p, "thinking")
			if thought.Kind == jsonscan.String {
				c.text(wire.ThinkingBlock, d.Bytes(thought))
			}
			for t := range d.Elements(thought) {
				c.text(wire.ThinkingBlock, d.Bytes(d.Get(t, "text")))
			}
		default:
			c.text(wire.TextBlock, d.Bytes(d.Get(p, "text")))
		}
	}
}

// annotations cite the text that is open.
func (c *streamChoice) annotations(d *wire.Doc, v jsonscan.Value) {
	if !c.isOpen(wire.TextBlock) {
		return
	}
	for a := range d.Elements(v) {
		if cite, ok := readAnnotation(d, a); ok {
			c.send(wire.Event{Kind: wire.EventCitation, Citation: &cite})
		}
	}
}

// details reads entries of reasoning_details. The plain text beside them says
// the same again, unless they hold none.
func (c *streamChoice) details(d *wire.Doc, v, reasoning jsonscan.Value) {
	texts := false
	for e := range d.Elements(v) {
		for _, name := range [...]string{"text", "summary"} {
			t := d.Get(e, name)
			texts = texts || t.Kind == jsonscan.String && t.End-t.Start > 2
		}
	}
	if !texts && reasoning.Exists() {
		c.text(wire.ThinkingBlock, d.Bytes(reasoning))
	}
	for e := range d.Elements(v) {
		c.detail(d, e)
	}
}

func (c *streamChoice) detail(d *wire.Doc, e jsonscan.Value) {
	x := readDetail(d, e)
	index := d.IntAt(e, "index")
	if x.text != "" {
		last := c.lastThinking()
		if last != nil && last.detail != index {
			last.sealed = true
		}
		p := c.part(wire.ThinkingBlock)
		p.detail, p.vendor = index, x.vendor
		c.add(p, []byte(x.text))
	}
	if x.signature == "" {
		return
	}
	if x.kind == "encrypted" && x.vendor == wire.VendorGemini && x.id != "" {
		for _, p := range c.calls {
			if p.id == x.id {
				c.sign(p, x.vendor, "", x.signature)
				return
			}
		}
	}
	last := c.lastThinking()
	switch {
	case x.kind != "encrypted" && last != nil && !last.sealed,
		x.kind == "encrypted" && last != nil && !last.sealed && x.vendor != wire.VendorAnthropic && x.vendor != wire.VendorGemini && (last.vendor == x.vendor || last.vendor == ""):
		c.sign(last, x.vendor, x.id, x.signature)
		last.sealed = true
	default:
		p := &streamPart{kind: wire.RedactedBlock, sealed: true}
		if x.kind != "encrypted" || x.vendor == wire.VendorOpenAI {
			p.kind = wire.ThinkingBlock
		}
		c.begin(p)
		c.sign(p, x.vendor, x.id, x.signature)
	}
}

// lastThinking is the block that thinking would go on with, or nil.
func (c *streamChoice) lastThinking() *streamPart {
	last := c.open
	if n := len(c.waiting); n > 0 {
		last = c.waiting[n-1]
	}
	if last == nil || last.kind != wire.ThinkingBlock {
		return nil
	}
	return last
}

// call reads an element of delta.tool_calls.
func (c *streamChoice) call(d *wire.Doc, v jsonscan.Value) {
	var id, function, google jsonscan.Value
	number, numbered, custom := int64(0), false, false
	for key, val := range jsonscan.Members(d.Data, v) {
		switch string(quoted(d.Data, key)) {
		case `"index"`:
			number, numbered = val.Int(d.Data)
		case `"id"`:
			id = val
		case `"function"`:
			function = val
		case `"custom"`:
			if val.Kind == jsonscan.ObjectKind {
				function, custom = val, true
			}
		case `"extra_content"`:
			google = val
		}
	}
	var name, args jsonscan.Value
	for key, val := range jsonscan.Members(d.Data, function) {
		switch string(quoted(d.Data, key)) {
		case `"name"`:
			name = val
		case `"arguments"`, `"input"`:
			args = val
		}
	}
	p := c.find(d, number, numbered, id, name, args)
	if p.id == "" {
		p.id = d.Str(id)
	}
	p.custom = p.custom || custom
	if p.name == "" && name.Kind == jsonscan.String {
		if p.name = d.Str(name); p.name != "" && !p.opened {
			c.advance()
		}
	}
	c.join(p)
	if args.Kind == jsonscan.String {
		if text := d.Bytes(args); len(text) > 0 {
			c.add(p, text)
		}
	} else if args.Kind == jsonscan.ObjectKind { // Ollama and its kin
		c.add(p, args.Raw(d.Data))
	}
	if google.Kind == jsonscan.ObjectKind {
		if vendor, id, signature := googleSignature(d, v); signature != "" {
			c.sign(p, vendor, id, signature)
		}
	}
}

// maxCalls bounds the calls of one choice: each delta looks for its own.
const maxCalls = 1024

// join opens a new call or puts it in the queue.
func (c *streamChoice) join(p *streamPart) {
	if p.call {
		return
	}
	p.call, p.kind = true, wire.CallBlock
	if len(c.calls) >= maxCalls {
		c.s.flooded = true
		return
	}
	c.calls = append(c.calls, p)
	c.begin(p)
}

// find is the call that a delta belongs to, by its index and else by its id.
// Some servers give every call the same index: one that comes with a name
// when the call before is whole, or has another id, is new.
func (c *streamChoice) find(d *wire.Doc, number int64, numbered bool, id, name, args jsonscan.Value) *streamPart {
	named := name.Kind == jsonscan.String && name.End-name.Start > 2
	given := id.Kind == jsonscan.String && id.End-id.Start > 2
	for i := len(c.calls) - 1; i >= 0; i-- {
		p := c.calls[i]
		switch {
		case numbered && p.number != number:
			continue
		case !numbered && given && p.id != "" && !id.Is(d.Data, p.id):
			continue
		case given && named && p.id != "" && !id.Is(d.Data, p.id) && (p.args.complete() || !p.args.begun):
		case !given && named && p.args.complete() && !bytes.Equal(args.Raw(d.Data), []byte(`""`)) && args.Exists():
		default:
			return p
		}
		break
	}
	return &streamPart{number: number}
}

// function reads delta.function_call, the one call of old models.
func (c *streamChoice) function(d *wire.Doc, v jsonscan.Value) {
	var p *streamPart
	for _, old := range c.calls {
		if old.number == -1 {
			p = old
		}
	}
	if p == nil {
		p = &streamPart{number: -1, name: d.StrAt(v, "name")}
		c.join(p)
	}
	if args := d.Bytes(d.Get(v, "arguments")); len(args) > 0 {
		c.add(p, args)
	}
}
