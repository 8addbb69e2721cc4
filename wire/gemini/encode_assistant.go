package gemini

import "github.com/weirproxy/weir/wire"

// assistant writes a turn of the model. A signature that came with thinking,
// in the dialects that have it there, belongs to the call that follows.
func (e *encoder) assistant(blocks []wire.Block) error {
	return e.turn("model", func() error {
		carried := ""
		first := true
		for i := range blocks {
			switch b := &blocks[i]; b.Type {
			case wire.ThinkingBlock, wire.RedactedBlock:
				if !e.own && b.Vendor == wire.VendorGemini {
					carried = b.Signature
					continue
				}
				e.thought(b)
			case wire.CallBlock:
				if first && carried == "" && e.ability.Signatures {
					carried = skipSignature
				}
				e.callPart(b, carried)
				first, carried = false, ""
			default:
				if err := e.userBlock(b); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// thought writes thinking for clients of this dialect. Gemini does not need
// its thoughts back, only the signatures, and has no use for those of others.
func (e *encoder) thought(b *wire.Block) {
	if !e.own || b.Signature != "" && b.Vendor != wire.VendorGemini {
		e.loss.Drop("thinking")
		return
	}
	w := &e.w
	w.Object()
	if b.Type == wire.ThinkingBlock {
		w.Str("text", b.Text)
	}
	w.Flag("thought", true)
	e.signature(b)
	w.End()
}

func (e *encoder) textPart(text string) {
	e.w.Object()
	e.w.Str("text", text)
	e.w.End()
}

func (e *encoder) signedText(b *wire.Block) {
	signed := b.Signature != "" && b.Vendor == wire.VendorGemini
	if b.Text == "" && !signed {
		return // empty parts are refused
	}
	e.w.Object()
	e.w.Str("text", b.Text)
	if signed {
		e.signature(b)
	}
	e.w.End()
}

// signature writes a signature that is Gemini's. One whose id matters can only
// be a client's that Weir sealed.
func (e *encoder) signature(b *wire.Block) {
	if b.Vendor != wire.VendorGemini || b.Signature == "" {
		return
	}
	if b.Type == wire.RedactedBlock && e.own {
		e.w.Str("thoughtSignature", wire.Seal(b.Vendor, redacted+b.ID, b.Signature))
		return
	}
	e.w.Str("thoughtSignature", b.Signature)
}

// callPart writes a call; carried is the signature for a call without one.
func (e *encoder) callPart(b *wire.Block, carried string) {
	w := &e.w
	w.Object()
	w.Key("functionCall")
	w.Object()
	w.StrIf("id", b.Call.ID)
	w.Str("name", b.Call.Name)
	arguments := b.Call.Arguments
	if b.Call.Custom {
		arguments = wire.WrapCustom(arguments)
	}
	w.RawMember("args", wire.ArgumentsObject(arguments))
	w.End()
	if b.Signature != "" && b.Vendor == wire.VendorGemini {
		carried = b.Signature
	}
	w.StrIf("thoughtSignature", carried)
	w.End()
}

func (e *encoder) rawPart(b *wire.Block) error {
	if b.Vendor != wire.VendorGemini {
		return wire.Unmappable(e.where, "a "+b.Name()+" of another vendor", "Gemini")
	}
	e.w.Raw(b.Raw)
	return nil
}
