package tokenizer

import "unicode/utf8"

// valid8 returns s if it is UTF-8, else a copy in the worker's scratch with
// U+FFFD for each maximal part of an ill-formed sequence, which is what
// Python's errors="replace", Rust and browsers do.
func (w *worker) valid8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	w.text = appendValid(w.text[:0], s)
	return bytesAsString(w.text)
}

// validString is valid8 without a worker.
func validString(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return bytesAsString(appendValid(nil, s))
}

func appendValid(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		if _, n := utf8.DecodeRuneInString(s[i:]); n > 1 {
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, "\uFFFD"...)
		i += illFormed(s[i:])
		start = i
	}
	return append(dst, s[start:]...)
}

// illFormed returns the length of the maximal ill-formed part at the start of
// s: as many bytes as begin some well-formed sequence, at least one (Unicode
// 16, table 3-7).
func illFormed(s string) int {
	var size int
	low, high := byte(0x80), byte(0xBF)
	switch b := s[0]; {
	case b >= 0xC2 && b <= 0xDF:
		size = 2
	case b >= 0xE0 && b <= 0xEF:
		size = 3
		if b == 0xE0 {
			low = 0xA0
		} else if b == 0xED {
			high = 0x9F
		}
	case b >= 0xF0 && b <= 0xF4:
		size = 4
		if b == 0xF0 {
			low = 0x90
		} else if b == 0xF4 {
			high = 0x8F
		}
	default:
		return 1
	}
	n := 1
	for n < size && n < len(s) && s[n] >= low && s[n] <= high {
		n++
		low, high = 0x80, 0xBF
	}
	return n
}

// incomplete returns the length of a sequence at the end of b that more bytes
// could complete.
func incomplete(b []byte) int {
	for n := 1; n <= min(3, len(b)); n++ {
		c := b[len(b)-n]
		if c&0xC0 == 0x80 {
			continue
		}
		if c >= 0xC2 && !utf8.FullRune(b[len(b)-n:]) {
			return n
		}
		return 0
	}
	return 0
}
