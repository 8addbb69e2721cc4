package gemini

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// maxRun bounds the text that is kept to find the places of citations in it.
const maxRun = 1 << 20

// streamChoice is one candidate of a stream.
type streamChoice struct {
	s     *streamDecoder
	index int

	// opened is the number of blocks so far; open says that the last one,
	// of kind, goes on, and signed that its signature has come.
	opened int
	open   bool
	kind   wire.BlockType
	signed bool

	calls   bool
	partial *partialArgs // of the open call, if they come in pieces

	run      []byte // the open text block's text
	cited    map[span]bool
	logprobs []byte

	finish      wire.Finish
	native      string
	explanation string
}

func (c *streamChoice) event(kind wire.EventKind) *wire.Event {
	c.s.ev = wire.Event{Kind: kind, Choice: c.index, Index: c.opened - 1, Block: c.kind}
	return &c.s.ev
}

// begin opens a block and leaves its event to be completed and sent.
func (c *streamChoice) begin(kind wire.BlockType) *wire.Event {
	c.close()
	c.opened++
	c.open, c.signed, c.kind = true, false, kind
	c.run = c.run[:0]
	clear(c.cited)
	return c.event(wire.EventBlock)
}

func (c *streamChoice) close() {
	if !c.open {
		return
	}
	if c.partial != nil {
		c.s.scratch = c.partial.append(c.s.scratch[:0])
		c.event(wire.EventDelta).Text = c.s.scratch
		c.s.send()
		c.partial = nil
	}
	c.event(wire.EventBlockEnd)
	c.s.send()
	c.open = false
}

func (c *streamChoice) part(part jsonscan.Value) error {
	d := &c.s.doc
	if part.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading part: %w: not an object", wire.ErrMalformed)
	}
	p := viewPart(d, part)
	signature := ""
	if p.signature.Kind == jsonscan.String {
		signature = d.Str(p.signature)
	}
	switch p.kind {
	case "text":
		c.text(d.Bytes(p.data), d.Bool(p.thought), signature)
		return nil
	case "functionCall":
		return c.call(p.data, signature)
	case "":
		return nil
	default:
		ev := c.begin(wire.RawBlock)
		ev.Vendor, ev.Raw = wire.VendorGemini, compact(part.Raw(d.Data))
		c.s.send()
		c.close()
		return nil
	}
}

// text goes on with a text or a thought. What comes after a signature is a
// block of its own.
func (c *streamChoice) text(text []byte, thought bool, signature string) {
	kind := wire.TextBlock
	if thought {
		kind = wire.ThinkingBlock
	}
	var vendor wire.Vendor
	var id string
	if signature != "" {
		vendor, id, signature = wire.OpenSignature(wire.VendorGemini, signature)
		if thought && cutRedacted(&id) {
			c.begin(wire.RedactedBlock)
			c.s.send()
			c.sign(vendor, id, signature)
			c.close()
			return
		}
	}
	if len(text) == 0 && signature == "" {
		return
	}
	if !c.open || c.kind != kind || c.signed {
		c.begin(kind)
		c.s.send()
	}
	if len(text) > 0 {
		ev := c.event(wire.EventDelta)
		ev.Text = text
		if kind == wire.TextBlock {
			if ev.LogProbs = c.logprobs; len(c.logprobs) > 0 {
				c.logprobs = c.logprobs[:0]
			}
			if len(c.run)+len(text) <= maxRun {
				c.run = append(c.run, text...)
			}
		}
		c.s.send()
	}
	if signature != "" {
		c.sign(vendor, id, signature)
	}
}

func (c *streamChoice) sign(vendor wire.Vendor, id, signature string) {
	ev := c.event(wire.EventSignature)
	ev.Vendor, ev.ID, ev.Signature = vendor, id, signature
	c.signed = true
	c.s.send()
}

// flushLogProbs hands on probabilities that came without text.
func (c *streamChoice) flushLogProbs() {
	if len(c.logprobs) == 0 || !c.open || c.kind != wire.TextBlock {
		return
	}
	c.event(wire.EventDelta).LogProbs = c.logprobs
	c.s.send()
	c.logprobs = c.logprobs[:0]
}

// call reads a functionCall: a whole one, or, from Vertex, a name followed by
// pieces of its arguments in parts without one.
func (c *streamChoice) call(v jsonscan.Value, signature string) error {
	d := &c.s.doc
	name := d.StrAt(v, "name")
	more := d.Bool(d.Get(v, "willContinue"))
	if name != "" {
		id := d.StrAt(v, "id")
		if id == "" {
			id = madeID(c.s.id, &c.s.made)
		}
		vendor, sealedID, signature := wire.OpenSignature(wire.VendorGemini, signature)
		ev := c.begin(wire.CallBlock)
		ev.ID, ev.Name = id, name
		ev.Vendor, ev.Signature = vendor, signature
		c.s.send()
		c.calls = true
		if signature != "" {
			c.sign(vendor, sealedID, signature)
		}
		if more {
			c.partial = new(partialArgs)
		}
	} else if c.partial == nil {
		return nil // the end of a call that is closed already
	}
	pieces := d.Get(v, "partialArgs")
	if pieces.Exists() && c.partial == nil {
		c.partial = new(partialArgs)
	}
	for piece := range d.Elements(pieces) {
		if err := c.partial.add(d, piece); err != nil {
			return err
		}
	}
	if c.partial == nil {
		args := d.Get(v, "args")
		c.s.scratch = append(c.s.scratch[:0], "{}"...)
		if args.Kind == jsonscan.ObjectKind {
			c.s.scratch = wire.AppendCompact(c.s.scratch[:0], args.Raw(d.Data))
		}
		c.event(wire.EventDelta).Text = c.s.scratch
		c.s.send()
	}
	if !more {
		c.close()
	}
	return nil
}

// cite hands on the sources of the open text. Reports may repeat those before.
func (c *streamChoice) cite(candidate jsonscan.Value) {
	if !c.open || c.kind != wire.TextBlock {
		return
	}
	text := string(c.run)
	eachSpan(&c.s.doc, candidate, func(s span) {
		if c.cited[s] {
			return
		}
		if c.cited == nil {
			c.cited = make(map[span]bool)
		}
		c.cited[s] = true
		if citation, ok := s.citation(text); ok {
			c.event(wire.EventCitation).Citation = &citation
			c.s.send()
		}
	})
}
