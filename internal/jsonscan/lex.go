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
// of ordinary string content: the quote, the backslash and control characters;
// the other bits are meaningless. Flipping bit 1 exchanges the quote and the
// space, so that one comparison finds the quote and what is below the space.
// Borrows can mark bytes above a true one but never below it, so the lowest
// mark is exact. Bytes of 0x80 and above are never marked: xor with ASCII
// leaves their high bit set and the last step clears it.
func special(w uint64) uint64 {
	low := (w ^ 0x02*ones) - 0x21*ones
	slash := (w ^ '\\'*ones) - ones
	return (low | slash) &^ w
}

// ordinary has the high bit of each byte of w set that special does not mark;
// the other bits are meaningless. It is exact for every byte: where the high bit
// is set before, nothing is ever borrowed from the next byte. What special
// finds with two comparisons is here one after the other: a backslash is 0x3d
// when the first is done.
func ordinary(w uint64) uint64 {
	low := (w ^ 0x02*ones | highs) - 0x21*ones
	return (low ^ 0x3d*ones) - ones | w
}

// transposed puts bit 8i+j of x where bit 8j+i was.
func transposed(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}

// bitmap gathers the high bits of w's bytes into the low eight bits, lowest
// byte first.
func bitmap(w uint64) uint64 { return w & highs >> 7 * 0x0102040810204080 >> 56 }

// firstMark is the number of the lowest byte that is marked.
func firstMark(marks uint64) int { return bits.TrailingZeros64(marks&highs) >> 3 }

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// endOfString returns the offset after the closing quote of the string whose
// content starts at i, or the complement of the offset of the byte that is
// wrong (len(b) when there is no closing quote).
func endOfString(b []byte, i int) int {
	// Names, roles, types and ids end within a few words.
	for n := 0; n < 4 && i+8 <= len(b); n++ {
		m := special(word(b[i:]))
		if m&highs == 0 {
			i += 8
			continue
		}
		if at := i + firstMark(m); b[at] == '"' {
			return at + 1
		}
		break
	}
block:
	for i+65 <= len(b) { // 64, and the byte after a backslash at their end
		w := b[i : i+65 : i+65]
		// Word by word in each byte, which takes fewer steps than byte by byte.
		plain := ordinary(word(w))&highs>>7 | ordinary(word(w[8:]))&highs>>6 |
			ordinary(word(w[16:]))&highs>>5 | ordinary(word(w[24:]))&highs>>4 |
			ordinary(word(w[32:]))&highs>>3 | ordinary(word(w[40:]))&highs>>2 |
			ordinary(word(w[48:]))&highs>>1 | ordinary(word(w[56:]))&highs
		if plain == ^uint64(0) {
			i += 64
			continue
		}
		// Text is full of escapes. Taking them out of the block's bitmap one by
		// one spares a mispredicted exit and a second look at the block each.
		// That an escape has two bytes is a branch and not a sum, so that the
		// processor need not wait for the table.
		marks := transposed(^plain)
		for marks != 0 {
			at := bits.TrailingZeros64(marks) & 63
			switch c := w[at]; {
			case c == '\\' && escapes[w[at+1]] == 2:
				if at == 63 {
					i += 65
					continue block
				}
				marks &^= 3 << at
			case c == '\\':
				n := escapeLen(b, i+at)
				if n == 0 {
					return ^(i + at)
				}
				i += at + n
				continue block
			case c == '"':
				return i + at + 1
			default:
				return ^(i + at)
			}
		}
		i += 64
	}
	return endOfStringSlow(b, i)
}

// endOfStringSlow is endOfString for the last bytes of a body.
func endOfStringSlow(b []byte, i int) int {
	for i < len(b) {
		if i+8 <= len(b) {
			m := special(word(b[i:]))
			if m&highs == 0 {
				i += 8
				continue
			}
			i += firstMark(m)
		}
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
