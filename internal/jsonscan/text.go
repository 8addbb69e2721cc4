package jsonscan

import (
	"bytes"
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

func appendUnescaped(dst, raw []byte) []byte {
	for len(raw) > 0 {
		if c := raw[0]; c != '\\' && c < utf8.RuneSelf {
			n := plainRun(raw)
			dst, raw = append(dst, raw[:n]...), raw[n:]
			continue
		}
		r, n := decodeRune(raw)
		dst, raw = utf8.AppendRune(dst, r), raw[n:]
	}
	return dst
}

// plainRun counts the leading bytes that stand for themselves: ASCII without
// the backslash.
func plainRun(raw []byte) int {
	for i, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return len(raw)
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
	switch raw[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return decodeHex(raw)
	}
	return rune(raw[1]), 2
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
