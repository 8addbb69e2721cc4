package sse

import "bytes"

// deliver hands the event at hand, buf[start:pos], to the caller and begins the
// next.
func (r *Reader) deliver(ev *Event) {
	raw := r.buf[r.start:r.pos:r.pos]
	b := &r.block
	ev.Raw = raw
	ev.Name, ev.Data = nil, nil
	ev.HasData = b.lines > 0
	ev.Unknown = b.unknown
	if b.named {
		ev.Name = raw[b.name.from:b.name.to:b.name.to]
	}
	switch {
	case b.lines == 1:
		ev.Data = raw[b.data.from:b.data.to:b.data.to]
	case b.lines > 1:
		ev.Data = r.join[0]
		// Ready may look ahead while the caller still holds this one.
		r.join[0], r.join[1] = r.join[1], r.join[0]
	}
	// One look at the first byte spares nearly every event the closer one.
	plain := b.lines == 1 && (!b.named || len(ev.Name) > 0) && len(ev.Data) > 0 && ev.Data[0] == '{'
	ev.Clean = !b.unclean && (plain || clean(ev, b))
	r.start, r.ready = r.pos, false
	r.block = block{}
}

// finish hands out what remains at the end of the stream: the last line counts
// although nothing ends it.
func (r *Reader) finish(ev *Event) {
	if r.pos < r.end {
		r.line(r.pos, r.end)
		r.pos = r.end
	}
	r.block.unclean = true
	r.deliver(ev)
}

// clean judges the fields; the lines have been judged as they came.
func clean(ev *Event, b *block) bool {
	if !ev.HasData {
		return b.comment && !b.named
	}
	if b.named && len(ev.Name) == 0 {
		return false
	}
	switch trimmed := bytes.TrimSpace(ev.Data); {
	case len(trimmed) == 0:
		return false
	case string(trimmed) == done:
		return len(ev.Data) == len(done) && b.lines == 1 && !b.named
	}
	return true
}

const done = "[DONE]"
