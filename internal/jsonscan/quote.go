package jsonscan

import (
	"math/bits"
	"slices"
	"unicode/utf8"
	"unsafe"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string with its quotes. Only what RFC 8259
// demands is escaped, and bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return AppendText(dst, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// AppendText is AppendString for bytes.
func AppendText(dst, s []byte) []byte {
	from := len(dst)
	dst = append(slices.Grow(dst, len(s)+len(`""`)), '"')
	dst, rest, high := escapeBlocks(dst, s)
	run, i := 0, 0
	for ; i+8 <= len(rest); i += 8 { // names and ids have nothing to escape
		v := word(rest[i:])
		if special(v)&highs != 0 {
			break
		}
		high |= v
	}
	for ; i < len(rest); i++ {
		c := rest[i]
		high |= uint64(c)
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, rest[run:i]...), c)
			run = i + 1
		}
	}
	dst = append(dst, rest[run:]...)
	if high&highs != 0 && !utf8.Valid(s) {
		return appendInvalid(dst[:from], s)
	}
	return append(dst, '"')
}

// longestEscape is that of a control character.
const longestEscape = len(`\u0000`)

// escapeBlocks appends all but the end of s, which it returns as rest, as what
// stands between the quotes; high has the high bits of it.
func escapeBlocks(dst, s []byte) (text, rest []byte, high uint64) {
	i := 0
	for ; i+64 <= len(s); i += 32 {
		w := s[i : i+64 : i+64]
		w0, w1, w2, w3 := word(w), word(w[8:]), word(w[16:]), word(w[24:])
		high |= w0 | w1 | w2 | w3
		j := len(dst)
		if cap(dst)-j < 32*longestEscape+32 {
			dst = slices.Grow(dst, len(s)-i+len(s)/16+32*longestEscape+32)
		}
		out := dst[:cap(dst)]
		put32(out[j:], w0, w1, w2, w3)
		m0, m1, m2, m3 := special(w0), special(w1), special(w2), special(w3)
		if (m0|m1|m2|m3)&highs == 0 {
			dst = out[:j+32]
			continue
		}
		// See unescapeBlocks.
		marks := bitmap(m0) | bitmap(m1)<<8 | bitmap(m2)<<16 | bitmap(m3)<<24
		run := 0
		for ; marks != 0; marks &= marks - 1 {
			at := bits.TrailingZeros64(marks) & 31
			c := w[at]
			if c >= ' ' && c != '"' && c != '\\' {
				continue // a borrow, see special
			}
			j += at - run
			if e := shortEscapes[c]; e != 0 {
				out[j], out[j+1] = '\\', e
				j += 2
			} else {
				j = len(appendEscape(out[:j], c))
			}
			run = at + 1
			copy32(out[j:], w[run:])
		}
		dst = out[:j+32-run]
	}
	return dst, s[i:], high
}

// shortEscapes tells the second byte of an escape by what it stands for.
var shortEscapes = [256]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func appendEscape(dst []byte, c byte) []byte {
	if e := shortEscapes[c]; e != 0 {
		return append(dst, '\\', e)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendInvalid is AppendText for what is not UTF-8.
func appendInvalid(dst, s []byte) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r < ' ' || r == '"' || r == '\\' {
			dst = appendEscape(dst, byte(r))
		} else {
			dst = utf8.AppendRune(dst, r)
		}
		s = s[n:]
	}
	return append(dst, '"')
}
