package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// Responses has one place for signatures, the reasoning item. What other
// vendors sign besides thinking travels in a reasoning item without text, a
// carrier, whose seal says in place of an id what it belongs to: a call by its
// id, the text before it, or redacted thinking.
const (
	carrierCall     = "call:"
	carrierText     = "text"
	carrierRedacted = "redacted"
)

// encrypted is what a client holds of a block of thinking.
func encrypted(vendor wire.Vendor, id, signature string, redacted bool) string {
	switch {
	case signature == "":
		return ""
	case vendor == wire.VendorOpenAI || vendor == "":
		return signature
	case redacted:
		return wire.Seal(vendor, carrierRedacted, signature)
	default:
		return wire.Seal(vendor, id, signature)
	}
}

// readReasoning reads a reasoning item. signed is false for one that proves
// nothing, which only the vendor that keeps the item can use.
func readReasoning(d *wire.Doc, item jsonscan.Value) (b wire.Block, signed bool) {
	b.Type = wire.ThinkingBlock
	b.Text = joinTexts(d, d.Get(item, "summary"))
	if b.Text == "" {
		b.Text = joinTexts(d, d.Get(item, "content"))
	}
	b.ID = d.StrAt(item, "id")
	held := d.StrAt(item, "encrypted_content")
	if held == "" {
		return b, false
	}
	from, id, signature := wire.OpenSignature(wire.VendorOpenAI, held)
	b.Vendor, b.Signature = from, signature
	if from != wire.VendorOpenAI {
		if b.ID = id; id == carrierRedacted && b.Text == "" {
			b.Type, b.ID = wire.RedactedBlock, ""
		}
	}
	return b, true
}

// joinTexts joins the texts of summaries or of reasoning_text parts.
func joinTexts(d *wire.Doc, parts jsonscan.Value) string {
	text, n := "", 0
	for p := range d.Elements(parts) {
		if n++; n > 1 {
			text += summaryBreak
		}
		text += d.StrAt(p, "text")
	}
	return text
}

// summaryBreak parts the summaries of one item, which are paragraphs.
const summaryBreak = "\n\n"

// carriers gives signatures that came in items of their own back to the
// blocks that they belong to.
type carriers struct {
	calls map[string]wire.Block // by the id of a call that has not come yet
	held  *wire.Block           // for the call that comes next, if one does
}

// take reports whether b, just read, carries another block's signature.
// blocks are the answer's so far.
func (c *carriers) take(b *wire.Block, blocks []wire.Block) bool {
	if b.Type != wire.ThinkingBlock || b.Text != "" || b.Signature == "" || b.Vendor == wire.VendorOpenAI {
		return false
	}
	if callID, ok := strings.CutPrefix(b.ID, carrierCall); ok {
		for i := range blocks {
			if t := &blocks[i]; t.Type == wire.CallBlock && t.Call.ID == callID {
				sign(t, b)
				return true
			}
		}
		if c.calls == nil {
			c.calls = make(map[string]wire.Block)
		}
		c.calls[callID] = *b
		return true
	}
	if last := len(blocks) - 1; b.ID == carrierText && last >= 0 && blocks[last].Type == wire.TextBlock && blocks[last].Signature == "" {
		sign(&blocks[last], b)
		return true
	}
	if b.Vendor == wire.VendorGemini && b.ID == "" && c.held == nil {
		held := *b
		c.held = &held
		return true
	}
	return false
}

// give signs a call with what was kept for it.
func (c *carriers) give(call *wire.Block) {
	if b, ok := c.calls[call.Call.ID]; ok {
		delete(c.calls, call.Call.ID)
		sign(call, &b)
	} else if c.held != nil {
		sign(call, c.held)
		c.held = nil
	}
}

// release returns the held block when it was no call's after all.
func (c *carriers) release() *wire.Block {
	b := c.held
	c.held = nil
	return b
}

func sign(b, from *wire.Block) { b.Signature, b.Vendor = from.Signature, from.Vendor }
