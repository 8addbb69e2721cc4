package sse

import "bytes"

// lineEnd is how a line ended.
type lineEnd uint8

const (
	noLine lineEnd = iota
	endLF
	endCRLF
	endCR
)

var bom = []byte("\xef\xbb\xbf")

// advance looks at bytes not seen before until the event at hand is complete,
// and reports whether it is.
func (r *Reader) advance() bool {
	if r.ready {
		return true
	}
	if (!r.begun || r.skipLF) && !r.begin() {
		return false
	}
	if r.pos == r.start && r.simple() {
		return true
	}
	for r.pos < r.end {
		if r.buf[r.pos] == '\n' {
			r.pos++
			r.lineEnd = endLF
			r.ready = true
			return true
		}
		eol := r.eol()
		if eol < 0 {
			return false
		}
		next, end := eol+1, endLF
		if r.buf[eol] == '\r' {
			blank := eol == r.pos
			switch {
			case blank && r.lineEnd == endCR:
				// The stream ends its lines with a lone CR: the event is not
				// held back to see whether an LF follows, or it would be late
				// by as long as the next one takes.
				end, r.skipLF = endCR, true
			case next < r.end:
				end = endCR
				if r.buf[next] == '\n' {
					next, end = next+1, endCRLF
				}
			case r.err != nil: // nothing will follow
				end = endCR
			default:
				return false
			}
			if end == endCR {
				r.block.unclean = true
			}
			if blank {
				r.pos, r.lineEnd, r.ready = next, end, true
				return true
			}
		}
		r.line(r.pos, eol)
		r.pos, r.lineEnd = next, end
	}
	return false
}

// begin steps over what belongs to no event; false if more bytes are needed to
// tell.
func (r *Reader) begin() bool {
	if !r.begun {
		head := r.buf[r.pos:r.end]
		if len(head) < len(bom) && bytes.HasPrefix(bom, head) && r.err == nil {
			return false
		}
		r.begun = true
		if bytes.HasPrefix(head, bom) {
			r.pos += len(bom)
			r.start = r.pos
			r.block.unclean = true
		}
	}
	if r.skipLF && r.pos < r.end {
		r.skipLF = false
		if r.buf[r.pos] == '\n' {
			r.pos++
			r.start = r.pos
			r.lineEnd = endCRLF
		}
	}
	return true
}

// eol returns the place of the first CR or LF at or after pos, -1 if it has not
// been received. IndexByte is several times as fast as a loop that looks for
// both, and CR, which is rare, is searched for once in each refill.
func (r *Reader) eol() int {
	lf := r.lf
	if lf < r.pos {
		lf = r.findLF()
	}
	if r.cr < r.pos && r.crSeen < r.end {
		r.findCR()
	}
	if cr := r.cr; cr >= r.pos && (lf < 0 || cr < lf) {
		return cr
	}
	return lf
}

// findLF searches for the next LF where it has not been searched for.
func (r *Reader) findLF() int {
	from := max(r.pos, r.lfSeen)
	lf := bytes.IndexByte(r.buf[from:r.end], '\n')
	if lf >= 0 {
		lf += from
	} else {
		r.lfSeen = r.end
	}
	r.lf = lf
	return lf
}

// findCR searches for the next CR where it has not been searched for.
func (r *Reader) findCR() {
	from := max(r.pos, r.crSeen)
	if r.cr = bytes.IndexByte(r.buf[from:r.end], '\r'); r.cr >= 0 {
		r.cr += from
	} else {
		r.crSeen = r.end
	}
}
