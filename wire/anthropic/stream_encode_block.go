package anthropic

import (
	"strconv"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// openBlock opens a block. Another vendor's raw block has no place.
func (e *streamEncoder) openBlock(dst []byte, ev *wire.Event) []byte {
	e.block = block{open: true, kind: ev.Block, id: ev.ID, name: ev.Name, custom: ev.Custom, text: e.block.text[:0]}
	switch ev.Block {
	case wire.RefusalBlock:
		e.refused = true
		e.block.kind = wire.TextBlock
	case wire.CallBlock:
		e.calls++
		if ev.Signature == "" {
			return dst
		}
		e.block.signature = wire.SignatureFor(wire.VendorAnthropic, ev.Vendor, "", ev.Signature)
	case wire.RedactedBlock:
		return dst
	case wire.RawBlock:
		if ev.Vendor != wire.VendorAnthropic {
			e.block.open = false
			return dst
		}
		e.blockStart(dst)
		e.w.Raw(ev.Raw)
		return e.wholeBlock(dst)
	case wire.TextBlock, wire.ThinkingBlock:
	default: // what the Messages API cannot carry is not streamed by anyone
		e.block.open = false
		return dst
	}
	return e.begin(dst)
}

// begin writes the block's start.
func (e *streamEncoder) begin(dst []byte) []byte {
	b := &e.block
	b.begun = true
	switch b.kind {
	case wire.TextBlock:
		dst = e.blockStart(dst)
		return append(dst, "{\"type\":\"text\",\"text\":\"\"}}\n\n"...)
	case wire.ThinkingBlock:
		dst = e.blockStart(dst)
		return append(dst, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"...)
	case wire.RedactedBlock:
		e.blockStart(dst)
		answer{&e.w, e.reply, 0}.redacted(b.signature)
		return e.close()
	default:
		if b.signature != "" {
			e.blockStart(dst)
			answer{&e.w, e.reply, 0}.thinking("", "")
			e.deltaHead(e.close(), "signature_delta", "signature")
			e.w.String(b.signature)
			dst = e.stop(e.deltaTail())
		}
		e.blockStart(dst)
		answer{&e.w, e.reply, e.calls}.call(b.id, b.name, "{}")
		return e.close()
	}
}

// blockStart writes a start up to the block, which the writer goes on with.
func (e *streamEncoder) blockStart(dst []byte) []byte {
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	dst = append(dst, `,"content_block":`...)
	e.w.B = dst
	return dst
}

// wholeBlock ends the start of a raw block, whose JSON may have line ends.
func (e *streamEncoder) wholeBlock(dst []byte) []byte {
	e.block.begun = true
	head := len(dst) + len("event: content_block_start\ndata: ")
	data := append([]byte(nil), append(e.w.B, '}')[head:]...)
	e.w.B = nil
	return sse.AppendEvent(dst, "content_block_start", data)
}

func (e *streamEncoder) delta(dst, text []byte) []byte {
	b := &e.block
	if !b.open || len(text) == 0 {
		return dst
	}
	switch {
	case b.custom:
		b.text = append(b.text, text...)
		return dst
	case b.kind == wire.TextBlock:
		e.deltaHead(dst, "text_delta", "text")
	case b.kind == wire.ThinkingBlock:
		e.deltaHead(dst, "thinking_delta", "thinking")
	case b.kind == wire.CallBlock:
		e.deltaHead(dst, "input_json_delta", "partial_json")
	default:
		return dst
	}
	e.w.Text(text)
	return e.deltaTail()
}

// sign writes a signature where the client will send it back from. One for a
// text has no place; Gemini does without it.
func (e *streamEncoder) sign(dst []byte, ev *wire.Event) []byte {
	b := &e.block
	if !b.open {
		return dst
	}
	signature := wire.SignatureFor(wire.VendorAnthropic, ev.Vendor, ev.ID, ev.Signature)
	switch {
	case b.kind == wire.ThinkingBlock:
		e.deltaHead(dst, "signature_delta", "signature")
		e.w.String(signature)
		return e.deltaTail()
	case b.begun:
	case b.kind == wire.CallBlock && ev.Vendor == wire.VendorAnthropic:
	default:
		b.signature = signature
		return e.begin(dst)
	}
	return dst
}

func (e *streamEncoder) closeBlock(dst []byte) []byte {
	b := &e.block
	if !b.open {
		return dst
	}
	if b.custom {
		b.custom = false
		dst = e.delta(dst, []byte(wire.WrapCustom(string(b.text))))
	}
	b.open = false
	return e.stop(dst)
}

// stop writes the end of a block and counts it.
func (e *streamEncoder) stop(dst []byte) []byte {
	e.index++
	return appendBlockStop(dst, int64(e.index-1))
}
