package sse

import "bytes"

// span is a part of the event at hand, relative to its start, so that moving
// the event does not change it.
type span struct{ from, to int32 }

// block is what the lines so far have said about the event at hand.
type block struct {
	name    span
	data    span // of the first data line
	lines   int  // with a data field
	named   bool
	unknown bool
	comment bool
	unclean bool
}

// line takes in the line buf[from:to], which is not blank.
func (r *Reader) line(from, to int) {
	line := r.buf[from:to]
	switch { // the three that streams are made of
	case len(line) > 5 && string(line[:5]) == "data:":
		from += 5
		if line[5] == ' ' {
			from++
		}
		r.data(from, to)
		return
	case len(line) > 6 && string(line[:6]) == "event:":
		from += 6
		if line[6] == ' ' {
			from++
		}
		r.name(from, to)
		return
	case line[0] == ':':
		r.block.comment = true
		return
	}
	name := line
	if colon := bytes.IndexByte(line, ':'); colon >= 0 {
		name = line[:colon]
	}
	switch string(name) {
	case "data": // without a value, as those with one have been seen to
		r.data(to, to)
	case "event":
		r.name(to, to)
	case "id", "retry":
		r.block.unclean = true
	default:
		r.block.unknown, r.block.unclean = true, true
	}
}

// name takes in the value buf[from:to] of an event field.
func (r *Reader) name(from, to int) {
	r.block.name, r.block.named = span{int32(from - r.start), int32(to - r.start)}, true
}

// data takes in the value buf[from:to] of a data field. Values are joined here,
// not on delivery, so that a hostile event of millions of lines needs no list
// of them.
func (r *Reader) data(from, to int) {
	b := &r.block
	b.lines++
	if b.lines == 1 {
		b.data = span{int32(from - r.start), int32(to - r.start)}
		return
	}
	if b.lines == 2 {
		r.join[0] = append(r.join[0][:0], r.buf[r.start+int(b.data.from):r.start+int(b.data.to)]...)
	}
	r.join[0] = append(append(r.join[0], '\n'), r.buf[from:to]...)
}
