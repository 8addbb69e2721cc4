package openai

import "github.com/weirproxy/weir/wire"

// streamChoice puts the deltas of one choice into blocks, of which one is
// open at a time, although servers send parallel calls in turns.
type streamChoice struct {
	s     *streamDecoder
	index int

	open    *streamPart
	waiting []*streamPart // have begun while a call was open
	blocks  int           // opened so far
	calls   []*streamPart

	logprobs []byte // of the chunk at hand, until a delta takes them

	finish             wire.Finish
	native, stopString string
	refused            bool
}

// streamPart is a block of a choice. What arrives before it may be opened is
// kept.
type streamPart struct {
	kind   wire.BlockType
	opened bool
	closed bool
	buf    []byte

	// sealed thinking has its signature: more thinking is another block.
	// detail is its index in reasoning_details.
	sealed bool
	detail int64
	vendor wire.Vendor

	// A call has the index that the server gives it, its name and id, and
	// knows when its arguments are whole.
	call      bool
	number    int64
	id, name  string
	custom    bool
	args      jsonDepth
	signature wire.Event
}

// send emits ev for the open block.
func (c *streamChoice) send(ev wire.Event) {
	ev.Choice, ev.Index = c.index, c.blocks-1
	c.s.ev = ev
	c.s.emit(&c.s.ev)
}

func (c *streamChoice) isOpen(kind wire.BlockType) bool { return c.open != nil && c.open.kind == kind }

// done reports whether p may be closed for another: a call only when its
// arguments are whole. The text of a custom call never says when it is.
func (p *streamPart) done() bool {
	return !p.call || !p.custom && p.args.complete()
}

// begin makes p the open block, or lets it wait behind a call that is not
// whole yet.
func (c *streamChoice) begin(p *streamPart) {
	if c.open != nil && !c.open.done() || len(c.waiting) > 0 || p.call && p.name == "" {
		c.waiting = append(c.waiting, p)
		return
	}
	c.show(p)
}

func (c *streamChoice) show(p *streamPart) {
	c.shut()
	c.open, p.opened = p, true
	c.blocks++
	ev := wire.Event{Kind: wire.EventBlock, Block: p.kind}
	if p.call {
		ev.ID, ev.Name, ev.Custom = p.id, p.name, p.custom
	}
	c.send(ev)
	if len(p.buf) > 0 {
		c.send(wire.Event{Kind: wire.EventDelta, Text: p.buf})
		p.buf = nil
	}
	if p.signature.Signature != "" {
		c.send(p.signature)
	}
}

// shut closes the open block, if there is one.
func (c *streamChoice) shut() {
	if c.open != nil {
		c.send(wire.Event{Kind: wire.EventBlockEnd})
		c.open.closed = true
		c.open = nil
	}
}

// advance opens what waits as far as that is possible.
func (c *streamChoice) advance() {
	for len(c.waiting) > 0 && (c.open == nil || c.open.done()) {
		next := c.waiting[0]
		if next.call && next.name == "" {
			return
		}
		c.waiting = c.waiting[1:]
		c.show(next)
	}
}

// add goes on with part p.
func (c *streamChoice) add(p *streamPart, text []byte) {
	if p.call {
		p.args.add(text)
	}
	switch {
	case p == c.open:
		ev := wire.Event{Kind: wire.EventDelta, Text: text, LogProbs: c.logprobs}
		c.logprobs = nil
		c.send(ev)
	case p.closed: // white space behind whole arguments
	default:
		p.buf = append(p.buf, text...)
	}
	c.advance()
}

// text goes on with text, a refusal or thinking, in a new block if need be.
func (c *streamChoice) text(kind wire.BlockType, text []byte) {
	if len(text) == 0 && (c.logprobs == nil || c.open == nil || c.open.kind != kind) {
		return
	}
	if kind == wire.RefusalBlock {
		c.refused = true
	}
	c.add(c.part(kind), text)
}

// part is the block that text of kind goes on with: the last one, unless that
// is of another kind.
func (c *streamChoice) part(kind wire.BlockType) *streamPart {
	last := c.open
	if n := len(c.waiting); n > 0 {
		last = c.waiting[n-1]
	}
	if last != nil && last.kind == kind && !last.sealed {
		return last
	}
	p := &streamPart{kind: kind}
	c.begin(p)
	return p
}

// sign gives part p a signature, now or when it is opened.
func (c *streamChoice) sign(p *streamPart, vendor wire.Vendor, id, signature string) {
	ev := wire.Event{Kind: wire.EventSignature, Vendor: vendor, ID: id, Signature: signature}
	switch {
	case p == c.open:
		c.send(ev)
	case !p.closed:
		p.signature = ev
	}
}

// close ends the choice.
func (c *streamChoice) close() {
	for _, p := range c.waiting {
		c.show(p)
	}
	c.waiting = nil
	c.shut()
	if c.finish == wire.FinishNone {
		c.finish = wire.FinishStop // [DONE] without a reason
	}
	c.s.ev = wire.Event{
		Kind: wire.EventFinish, Choice: c.index, Native: c.native, StopString: c.stopString,
		Finish: settle(c.finish, len(c.calls) > 0, c.refused),
	}
	c.s.emit(&c.s.ev)
}
