package responses

import "github.com/weirproxy/weir/wire"

// Resume implements wire.Resumer.
func (e *ending) Resume(reply *wire.Reply) wire.StreamEncoder {
	d := &e.doc
	if d.Reset([]byte(e.response)) != nil {
		return nil
	}
	created := d.IntAt(d.Root, "created_at")
	s := &streamEncoder{reply: reply, env: newEnvelope(reply, d.StrAt(d.Root, "id"), d.StrAt(d.Root, "model"), created), sequence: sequence{seq: e.sequence + 1}}
	s.outcome.status = "completed"
	for i, it := range e.items {
		if it.index != int64(i) || it.raw == "" {
			return nil // what comes next would be numbered wrongly
		}
		s.items++
		if !it.done {
			if i+1 < len(e.items) || !s.resume(d, it) {
				return nil
			}
			break
		}
		if len(s.output) > 0 {
			s.output = append(s.output, ',')
		}
		s.output = append(s.output, it.raw...)
	}
	return s
}

// resume makes the item that is open, a message, the encoder's own.
func (e *streamEncoder) resume(d *wire.Doc, it *endedItem) bool {
	if d.Reset([]byte(it.raw)) != nil || d.StrAt(d.Root, "type") != "message" {
		return false
	}
	e.message = it.id
	for i, p := range it.parts {
		switch {
		case p.form.kind != "output_text" || p.index != int64(i):
			return false
		case p.raw != "":
			if len(e.parts) > 0 {
				e.parts = append(e.parts, ',')
			}
			e.parts = append(e.parts, p.raw...)
			e.nparts++
		case p.said || len(p.notes) > 0 || i+1 < len(it.parts):
			return false
		default:
			e.block = block{open: true, kind: wire.TextBlock, id: it.id, text: append([]byte(nil), p.text...)}
		}
	}
	return true
}

// Interface guard.
var _ wire.Resumer = (*ending)(nil)
