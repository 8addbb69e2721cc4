package replay

import (
	"bytes"
	"strconv"
)

// Cut returns the first event of p, with the blank line that ends it, and what
// comes behind. An event that is not ended is the whole of p. Lines end in LF
// or CRLF.
func Cut(p []byte) (event, rest []byte) {
	for at := 0; ; {
		n := bytes.IndexByte(p[at:], '\n')
		if n < 0 {
			return p, nil
		}
		line := p[at : at+n]
		at += n + 1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return p[:at], p[at:]
		}
	}
}

var data = []byte("data")

// HasData reports whether a client takes event for one: a block without data,
// such as a comment, is none.
func HasData(event []byte) bool {
	for len(event) > 0 {
		line, rest, _ := bytes.Cut(event, lf)
		line = bytes.TrimSuffix(line, cr)
		if value, ok := bytes.CutPrefix(line, data); ok && (len(value) == 0 || value[0] == ':') {
			return true
		}
		event = rest
	}
	return false
}

var lf, cr = []byte("\n"), []byte("\r")

// AppendNumbered appends event with its number as its id. The id goes first, so
// that the event's own bytes stay together.
func AppendNumbered(dst, event []byte, number uint64) []byte {
	dst = append(dst, "id: "...)
	dst = strconv.AppendUint(dst, number, 10)
	dst = append(dst, '\n')
	return append(dst, event...)
}
