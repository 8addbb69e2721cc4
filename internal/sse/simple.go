package sse

import "bytes"

// simple recognises in one step the shape that nearly every event has, an
// `event` line or none, one `data` line and a blank line, all ended by LF, and
// does for it what the loop of advance would do. It leaves everything to that
// loop when the event is of another shape or has not been received completely;
// what has been searched by then is not searched again.
func (r *Reader) simple() bool {
	if r.crSeen < r.end && r.cr < r.pos {
		r.findCR()
	}
	if r.cr >= r.pos {
		return false
	}
	first := r.lf
	if first < r.pos {
		if first = r.findLF(); first < 0 {
			return false
		}
	}
	buf, last, name := r.buf[:r.end], first, span{}
	line := buf[r.pos:first]
	if len(line) > 6 && string(line[:6]) == "event:" {
		k := bytes.IndexByte(buf[first+1:], '\n')
		if k < 0 {
			r.lfSeen = r.end
			return false
		}
		last = first + 1 + k
		r.lfSeen = last
		name = valueOf(line, 6, 0)
		line = buf[first+1 : last]
	}
	if last+1 >= len(buf) || buf[last+1] != '\n' || len(line) < 6 || string(line[:5]) != "data:" {
		return false
	}
	r.block.data = valueOf(line, 5, last-len(line)-r.start)
	r.block.lines = 1
	if last != first {
		r.block.name, r.block.named = name, true
	}
	r.pos, r.lineEnd, r.ready = last+2, endLF, true
	return true
}

// valueOf returns the span of the value that begins at line[from], or after one
// space, of a line at offset in the event.
func valueOf(line []byte, from, offset int) span {
	if line[from] == ' ' {
		from++
	}
	return span{int32(offset + from), int32(offset + len(line))}
}
