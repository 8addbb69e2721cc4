package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns the string that the value spells, without quotes and escapes; ok
// is false when it is no string. Without escapes the result is a slice of body,
// whatever bytes it holds. Otherwise it is appended to scratch, and lone
// surrogates and bytes that are not UTF-8 become U+FFFD, one for each, as in
// encoding/json.
func (v Value) Text(body, scratch []byte) (text []byte, ok bool) {
	if v.Kind != String {
		return nil, false
	}
	raw := body[v.Start+1 : v.End-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, true
	}
	return appendUnescaped(scratch, raw)[len(scratch):], true
}

// Is reports whether the value is the string s, escaped or not.
func (v Value) Is(body []byte, s string) bool {
	return v.Kind == String && spells(body[v.Start+1:v.End-1], s)
}

// spells reports whether raw, the bytes between quotes, means s.
func spells(raw []byte, s string) bool {
	if len(raw) == len(s) && string(raw) == s {
		return true
	}
	// The longest escape spells one byte of s in six.
	if len(raw) > 6*len(s) || bytes.IndexByte(raw, '\\') < 0 {
		return false
	}
	for len(raw) > 0 {
		if s == "" {
			return false
		}
		got, n := decodeRune(raw)
		want, m := utf8.DecodeRuneInString(s)
		if got != want {
			return false
		}
		raw, s = raw[n:], s[m:]
	}
	return s == ""
}

// appendUnescaped appends the text that raw, the bytes between quotes, spells.
// Text is no longer than its spelling, unless that is not UTF-8.
func appendUnescaped(dst, raw []byte) []byte {
	from := len(dst)
	dst = slices.Grow(dst, len(raw))
	dst, rest, high := unescapeBlocks(dst, raw)
	run := 0
	for i := 0; i < len(rest); {
		if rest[i] != '\\' {
			high |= uint64(rest[i])
			i++
			continue
		}
		r, n := decodeRune(rest[i:])
		dst = utf8.AppendRune(append(dst, rest[run:i]...), r)
		i += n
		run = i
	}
	dst = append(dst, rest[run:]...)
	if high&highs != 0 && !utf8.Valid(raw) {
		return appendRepaired(dst[:from], raw)
	}
	return dst
}

// unescapeBlocks is appendUnescaped for all but the end of raw, which it
// returns as rest; dst has room for all of it. The bytes that escapes do not
// stand for are copied as they are, and high has the high bits of them.
func unescapeBlocks(dst, raw []byte) (text, rest []byte, high uint64) {
	out, j := dst[:cap(dst)], len(dst)
	i := 0
block:
	for i+65 <= len(raw) {
		w := raw[i : i+65 : i+65]
		w0, w1, w2, w3 := word(w), word(w[8:]), word(w[16:]), word(w[24:])
		high |= w0 | w1 | w2 | w3
		put32(out[j:], w0, w1, w2, w3)
		m0, m1, m2, m3 := slash(w0), slash(w1), slash(w2), slash(w3)
		if (m0|m1|m2|m3)&highs == 0 {
			i, j = i+32, j+32
			continue
		}
		// What stands between two escapes is moved as if it filled the block: a
		// copy of fixed size costs less than one more mispredicted branch.
		marks := bitmap(m0) | bitmap(m1)<<8 | bitmap(m2)<<16 | bitmap(m3)<<24
		run := 0 // where it begins
		for marks != 0 {
			at := bits.TrailingZeros64(marks) & 31
			if w[at] != '\\' { // a borrow, see special
				marks &= marks - 1
				continue
			}
			j += at - run
			c := plainEscapes[w[at+1]]
			if c == 0 {
				r, n := decodeRune(raw[i+at:])
				j += utf8.EncodeRune(out[j:], r)
				i += at + n
				continue block
			}
			out[j] = c
			j++
			marks &^= 3 << at
			run = at + 2
			copy32(out[j:], w[run:])
		}
		i, j = i+max(32, run), j+max(32, run)-run
	}
	return out[:j], raw[i:], high
}

// put32 puts four words down; as an array they would be a call of memmove.
func put32(dst []byte, w0, w1, w2, w3 uint64) {
	dst = dst[:32:32]
	binary.LittleEndian.PutUint64(dst, w0)
	binary.LittleEndian.PutUint64(dst[8:], w1)
	binary.LittleEndian.PutUint64(dst[16:], w2)
	binary.LittleEndian.PutUint64(dst[24:], w3)
}

func copy32(dst, src []byte) {
	src = src[:32:32]
	put32(dst, word(src), word(src[8:]), word(src[16:]), word(src[24:]))
}

// slash marks backslashes as special does.
func slash(w uint64) uint64 { return ((w ^ '\\'*ones) - ones) &^ w }

// plainEscapes tells what an escape of two bytes stands for by the second.
var plainEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// appendRepaired is appendUnescaped for what is not UTF-8.
func appendRepaired(dst, raw []byte) []byte {
	for len(raw) > 0 {
		r, n := decodeRune(raw)
		dst, raw = utf8.AppendRune(dst, r), raw[n:]
	}
	return dst
}

// decodeRune reads one character, escaped or not, off the front of raw, which
// is not empty and holds valid escapes only.
func decodeRune(raw []byte) (r rune, size int) {
	if raw[0] != '\\' {
		return utf8.DecodeRune(raw)
	}
	if len(raw) < 2 {
		return utf8.RuneError, len(raw)
	}
	if raw[1] == 'u' {
		return decodeHex(raw)
	}
	return rune(plainEscapes[raw[1]]), 2
}

// decodeHex reads \uXXXX and, when it is the first half of a surrogate pair,
// the second half with it.
func decodeHex(raw []byte) (r rune, size int) {
	r = hex4(raw)
	if !utf16.IsSurrogate(r) {
		return r, min(6, len(raw))
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(raw[6:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, min(6, len(raw))
}

// hex4 returns the code unit of the \uXXXX at the front of raw.
func hex4(raw []byte) rune {
	if len(raw) < 6 {
		return utf8.RuneError
	}
	var r rune
	for _, c := range raw[2:6] {
		r = r<<4 | rune(hexValue(c))
	}
	return r
}

// hexValue returns 0 to 15, or 255 for a byte that is no hexadecimal digit.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
