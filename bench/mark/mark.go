// Package mark puts a stream's name, a chunk's number and the time it was sent
// into the text of an answer, where every gateway and translation carries them,
// and tells from what arrives whether chunks were lost, doubled, swapped or late.
package mark

import (
	"strconv"
)

// Size is the length of a mark: @ID.NUMBER:NANOSECONDS; with all parts of fixed
// width, so that answers have the same length whatever they say.
const Size = 1 + idLen + 1 + numLen + 1 + timeLen + 1

const (
	idLen   = 8
	numLen  = 6
	timeLen = 19 // of any Unix time in nanoseconds from 2001 to 2262
)

// Mark is what a mark says. At is a Unix time in nanoseconds.
type Mark struct {
	ID     uint32
	Number int
	At     int64
}

// Append appends m to dst.
func Append(dst []byte, m Mark) []byte {
	dst = append(dst, '@')
	dst = pad(dst, uint64(m.ID), 16, idLen)
	dst = append(dst, '.')
	dst = pad(dst, uint64(m.Number), 10, numLen)
	dst = append(dst, ':')
	dst = pad(dst, uint64(m.At), 10, timeLen)
	return append(dst, ';')
}

func pad(dst []byte, v uint64, base, width int) []byte {
	var buf [64]byte
	digits := strconv.AppendUint(buf[:0], v, base)
	for n := len(digits); n < width; n++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// parse reads the mark that b, of Size bytes, is.
func parse(b []byte) (m Mark, ok bool) {
	at := func(i int, c byte) bool { return b[i] == c }
	if len(b) != Size || !at(0, '@') || !at(1+idLen, '.') || !at(2+idLen+numLen, ':') || !at(Size-1, ';') {
		return m, false
	}
	id, ok1 := number(b[1:1+idLen], 16)
	num, ok2 := number(b[2+idLen:2+idLen+numLen], 10)
	t, ok3 := number(b[3+idLen+numLen:Size-1], 10)
	return Mark{ID: uint32(id), Number: int(num), At: int64(t)}, ok1 && ok2 && ok3
}

func number(b []byte, base uint64) (v uint64, ok bool) {
	for _, c := range b {
		d := uint64(c - '0')
		if c >= 'a' && c <= 'f' {
			d = uint64(c-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		v = v*base + d
	}
	return v, true
}
