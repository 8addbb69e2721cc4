package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special marks, in the high bit of each byte of w, the bytes that end a run
// of ordinary string content: the quote, the backslash and control characters.
// Borrows can mark bytes above a true one but never below it, so the lowest
// mark is exact. Bytes of 0x80 and above are never marked: xor with ASCII
// leaves their high bit set and the final mask clears it.
func special(w uint64) uint64 {
	quote := (w ^ '"'*ones) - ones
	slash := (w ^ '\\'*ones) - ones
	return (quote | slash | (w - ' '*ones)) &^ w & highs
}

// bitmap gathers the marks of special into the low eight bits, lowest byte
// first.
func bitmap(marks uint64) uint32 { return uint32(marks >> 7 * 0x0102040810204080 >> 56) }

// endOfString returns the offset after the closing quote of the string whose
// content starts at i, or the complement of the offset of the byte that is
// wrong (len(b) when there is no closing quote).
func endOfString(b []byte, i int) int {
	if i+8 <= len(b) { // names, roles and types end here
		m := special(binary.LittleEndian.Uint64(b[i:]))
		if at := i + bits.TrailingZeros64(m)>>3; m != 0 && b[at] == '"' {
			return at + 1
		}
	}
block:
	for i+32 <= len(b) {
		w := b[i : i+32 : i+32]
		m0 := special(binary.LittleEndian.Uint64(w))
		m1 := special(binary.LittleEndian.Uint64(w[8:]))
		m2 := special(binary.LittleEndian.Uint64(w[16:]))
		m3 := special(binary.LittleEndian.Uint64(w[24:]))
		if m0|m1|m2|m3 == 0 {
			i += 32
			continue
		}
		// Text is full of escapes. Taking them out of the block's bitmap one by
		// one spares a mispredicted exit and a second look at the block each.
		marks := bitmap(m0) | bitmap(m1)<<8 | bitmap(m2)<<16 | bitmap(m3)<<24
		for marks != 0 {
			at := bits.TrailingZeros32(marks)
			switch c := w[at&31]; {
			case c == '\\':
				n := escapeLen(b, i+at)
				if n == 0 {
					return ^(i + at)
				}
				if at += n; at >= 32 {
					i += at
					continue block
				}
				marks &= ^uint32(0) << at
			case c == '"':
				return i + at + 1
			case c < ' ':
				return ^(i + at)
			default: // a borrow, see special
				marks &= marks - 1
			}
		}
		i += 32
	}
	return endOfStringSlow(b, i)
}

// endOfStringSlow is endOfString for the last bytes of a body.
func endOfStringSlow(b []byte, i int) int {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			n := escapeLen(b, i)
			if n == 0 {
				return ^i
			}
			i += n
		case c < ' ':
			return ^i
		default:
			i++
		}
	}
	return ^len(b)
}

// escapeLen returns the length of the escape at i, 0 when it is not one.
func escapeLen(b []byte, i int) int {
	if i+1 >= len(b) {
		return 0
	}
	if n := int(escapes[b[i+1]]); n != 6 {
		return n
	}
	if i+6 > len(b) || hexValue(b[i+2])|hexValue(b[i+3])|hexValue(b[i+4])|hexValue(b[i+5]) > 15 {
		return 0
	}
	return 6
}

// escapes tells an escape's length by the byte after the backslash.
var escapes = [256]uint8{'"': 2, '\\': 2, '/': 2, 'b': 2, 'f': 2, 'n': 2, 'r': 2, 't': 2, 'u': 6}

// endOfNumber returns the offset after the number that starts at i, or the
// complement of the offset of the byte that is wrong.
func endOfNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++ // a leading zero stands alone
	default:
		n := skipDigits(b, i)
		if n == i {
			return ^i
		}
		i = n
	}
	if i < len(b) && b[i] == '.' {
		n := skipDigits(b, i+1)
		if n == i+1 {
			return ^n
		}
		i = n
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := skipDigits(b, i)
		if n == i {
			return ^n
		}
		i = n
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// skipSpace returns the offset of the first byte at or after i that is not
// RFC 8259 white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		switch b[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}
