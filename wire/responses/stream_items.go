package responses

import (
	"slices"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// item is an output item that is not handed on in full yet.
type item struct {
	index int64
	done  bool
	kept  []wire.Event // what it tells, until it is its turn

	// The block that is open, what it got of text, citations and parts.
	open  bool
	kind  wire.BlockType
	got   int
	cites int

	parts int64 // that were opened, of a message
	part  int64 // of reasoning that is being read
	seen  int   // bytes of that part
	raw   bool  // reasoning comes as text, not as summaries
}

// find returns the item of an index, or adds it: servers may leave out that it
// was added.
func (d *streamDecoder) find(index int64, call bool) *item {
	for _, it := range d.queue {
		if it.index == index && !it.done {
			return it
		}
	}
	if !call {
		d.flush()
	}
	d.any = true
	it := &item{index: index}
	d.queue = append(d.queue, it)
	return it
}

// flush hands on a signature that was held for a call that did not come.
func (d *streamDecoder) flush() {
	b := d.carriers.release()
	if b == nil {
		return
	}
	it := &item{index: -1}
	d.queue = append(d.queue, it)
	d.openBlock(it, &wire.Event{Block: b.Type})
	d.tell(it, &wire.Event{Kind: wire.EventSignature, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
	d.closeBlock(it)
	it.done = true
	d.advance()
}

// tell hands on what an item tells, or keeps it until the item's turn.
func (d *streamDecoder) tell(it *item, ev *wire.Event) {
	if d.queue[0] == it {
		d.hand(ev)
		return
	}
	if n := len(it.kept); ev.Kind == wire.EventDelta && n > 0 && it.kept[n-1].Kind == wire.EventDelta && len(ev.LogProbs) == 0 && len(it.kept[n-1].LogProbs) == 0 {
		it.kept[n-1].Text = append(it.kept[n-1].Text, ev.Text...)
		return
	}
	kept := *ev
	kept.Text, kept.LogProbs = slices.Clone(ev.Text), slices.Clone(ev.LogProbs)
	it.kept = append(it.kept, kept)
}

func (d *streamDecoder) hand(ev *wire.Event) {
	if ev.Kind == wire.EventBlock {
		d.blocks++
	}
	ev.Index = d.blocks - 1
	d.emit(ev)
}

// advance drops the items that are done and hands on what the next one told.
func (d *streamDecoder) advance() {
	for len(d.queue) > 0 {
		it := d.queue[0]
		for i := range it.kept {
			d.hand(&it.kept[i])
		}
		if it.kept = nil; !it.done {
			return
		}
		d.queue = slices.Delete(d.queue, 0, 1)
	}
}

func (d *streamDecoder) openBlock(it *item, ev *wire.Event) {
	d.closeBlock(it)
	it.open, it.kind, it.got, it.cites = true, ev.Block, 0, 0
	ev.Kind = wire.EventBlock
	d.tell(it, ev)
}

func (d *streamDecoder) closeBlock(it *item) {
	if it.open {
		it.open = false
		d.ev = wire.Event{Kind: wire.EventBlockEnd}
		d.tell(it, &d.ev)
	}
}

func (d *streamDecoder) delta(it *item, text, logprobs []byte) {
	if len(text) == 0 && len(logprobs) == 0 {
		return
	}
	it.got += len(text)
	d.piece.Kind, d.piece.Text, d.piece.LogProbs = wire.EventDelta, text, logprobs
	d.tell(it, &d.piece)
}

func (d *streamDecoder) sign(it *item, b *wire.Block) {
	d.tell(it, &wire.Event{Kind: wire.EventSignature, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
}

// added reads the announcement of an item. Those of tools that the vendor runs
// tell nothing before they are done, and may never be.
func (d *streamDecoder) added(m *message) {
	switch kind := d.doc.StrAt(m.item, "type"); kind {
	case "message", "reasoning":
		d.find(m.output, false)
	case "function_call", "custom_tool_call":
		if d.call(m.output) == nil {
			d.begin(kind, m)
		}
	}
}

// begin opens the block of a call.
func (d *streamDecoder) begin(kind string, m *message) *item {
	b := readCall(&d.doc, kind, m.item)
	d.carriers.give(&b)
	d.calls = true
	it := d.find(m.output, true)
	d.openBlock(it, &wire.Event{Block: wire.CallBlock, ID: b.Call.ID, Name: b.Call.Name, Custom: b.Call.Custom})
	if b.Signature != "" {
		d.sign(it, &b)
	}
	d.delta(it, []byte(b.Call.Arguments), nil)
	return it
}

// done reads a whole item, of which more or less has come before.
func (d *streamDecoder) done(index int64, v jsonscan.Value) {
	switch kind := d.doc.StrAt(v, "type"); kind {
	case "message":
		it := d.find(index, false)
		if it.parts == 0 {
			for p := range d.doc.Elements(d.doc.Get(v, "content")) {
				d.wholePart(it, p)
			}
		}
		d.complete(it)
	case "reasoning":
		d.wholeReasoning(index, v)
	case "function_call", "custom_tool_call":
		var it *item
		for _, known := range d.queue {
			if known.index == index && !known.done && known.kind == wire.CallBlock {
				it = known
			}
		}
		if it == nil {
			it = d.begin(kind, &message{item: v, output: index})
		} else if it.got == 0 {
			b := readCall(&d.doc, kind, v)
			d.delta(it, []byte(b.Call.Arguments), nil)
		}
		d.complete(it)
	case "":
	default:
		it := d.find(index, false)
		d.openBlock(it, &wire.Event{Block: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: d.doc.Raw(v)})
		d.complete(it)
	}
}

func (d *streamDecoder) complete(it *item) {
	d.closeBlock(it)
	it.done = true
	d.advance()
}

func (d *streamDecoder) wholePart(it *item, p jsonscan.Value) {
	kind, member := wire.TextBlock, "text"
	if d.doc.StrAt(p, "type") == "refusal" {
		kind, member = wire.RefusalBlock, "refusal"
	}
	d.openPart(it, kind)
	d.delta(it, d.doc.Bytes(d.doc.Get(p, member)), nil)
	d.citations(it, p)
	d.closeBlock(it)
}

func (d *streamDecoder) openPart(it *item, kind wire.BlockType) {
	d.refused = d.refused || kind == wire.RefusalBlock
	it.parts++
	d.openBlock(it, &wire.Event{Block: kind})
}

func (d *streamDecoder) citations(it *item, part jsonscan.Value) {
	for _, c := range readCitations(&d.doc, d.doc.Get(part, "annotations")) {
		d.tell(it, &wire.Event{Kind: wire.EventCitation, Citation: &c})
	}
}

// wholeReasoning completes reasoning: its proof comes with the whole item.
func (d *streamDecoder) wholeReasoning(index int64, v jsonscan.Value) {
	b, signed := readReasoning(&d.doc, v)
	it := d.find(index, false)
	if !it.open {
		if !signed && b.Text == "" || signed && d.carriers.take(&b, nil) {
			d.complete(it)
			return
		}
		d.openBlock(it, &wire.Event{Block: b.Type})
		d.delta(it, []byte(b.Text), nil)
	}
	if signed {
		d.sign(it, &b)
	}
	d.complete(it)
}
