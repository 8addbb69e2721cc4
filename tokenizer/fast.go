package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// The fast path takes the pieces of o200k_base and cl100k_base that are ASCII
// up to and including the byte that ends them, eight bytes at a time; the
// scanner in split*.go takes the others.

const (
	highBits = 0x8080808080808080
	// fastRoom is how many bytes past the start of a piece may be read.
	fastRoom = 32
	tailSize = 2*fastRoom + 16
)

// What an ASCII byte can do at the start of a piece.
const (
	kindLetter  = iota
	kindPrefix  // may stand before the letters of a word
	kindDigit   //
	kindNewline // CR or LF
	kindWide    // not ASCII
)

// kinds and follows are tables by byte. follows has bit 0 for bytes in a run
// of punctuation, bit 1 for white space.
var kinds, follows = func() (kinds, follows [256]uint8) {
	for c := range 256 {
		if c >= 0x80 {
			kinds[c] = kindWide
			continue
		}
		switch k := classOf(rune(c)); {
		case k.letter():
			kinds[c] = kindLetter
		case k == classNumber:
			kinds[c] = kindDigit
		case c == '\r' || c == '\n':
			kinds[c], follows[c] = kindNewline, 2
		case k == classSpace:
			kinds[c], follows[c] = kindPrefix, 2
		default:
			kinds[c], follows[c] = kindPrefix, 1
		}
	}
	return kinds, follows
}()

// asciiLetters has the high bit of each byte of x that is an ASCII letter.
func asciiLetters(x uint64) uint64 {
	y := x&0x7F7F7F7F7F7F7F7F | 0x2020202020202020
	return (y + 0x1F1F1F1F1F1F1F1F) &^ (y + 0x0505050505050505) &^ x & highBits
}

// firstZero returns the index of the first byte whose high bit is not in m.
func firstZero(m uint64) int { return bits.TrailingZeros64(^m&highBits) >> 3 }

// countFast counts s by the rules of o200k_base (camel) or cl100k_base.
func (t *bpe) countFast(w *worker, s string, camel bool) int {
	i, total := 0, 0
	if len(s) > fastRoom {
		i, total = t.fastRun(w, s, stringBytes(s), 0, len(s)-fastRoom, len(s), camel)
	}
	if i == len(s) {
		return total
	}
	// The last bytes are counted in a buffer that may be read past its end.
	clear(w.tail[len(s)-i:])
	copy(w.tail[:], s[i:])
	_, n := t.fastRun(w, s, w.tail[:], i, len(s)-i, len(s)-i, camel)
	return total + n
}

// fastRun counts the pieces of b that start before stop; b[0] is s[base], and
// the text ends at b[end]. Every byte up to fastRoom after stop is readable.
func (t *bpe) fastRun(w *worker, s string, b []byte, base, stop, end int, camel bool) (i, total int) {
	for i < stop {
		j := i // end of the piece
		kind := kinds[b[i]]
		if kind <= kindPrefix {
			start := i + int(kind)
			if !camel && b[i] == '\'' {
				goto slow
			}
			x := binary.LittleEndian.Uint64(b[start:])
			letters := asciiLetters(x)
			if letters&0x80 != 0 {
				// \p{Lu}*\p{Ll}*, or with cl100k just letters.
				small := letters
				capitals := 0
				if camel {
					upper := letters &^ (x << 2)
					capitals = firstZero(upper)
					small = letters&^upper | (1<<(8*capitals) - 1)
				}
				n := firstZero(small)
				if n == 8 {
					x = binary.LittleEndian.Uint64(b[start+8:])
					letters = asciiLetters(x)
					small = letters
					if camel {
						upper := letters &^ (x << 2)
						small = letters &^ upper
						if capitals == 8 {
							small |= 1<<(8*firstZero(upper)) - 1
						}
					}
					n += firstZero(small)
					if n == 16 {
						goto slow
					}
				}
				j = start + n
				if c := b[j]; c >= 0x80 {
					goto slow
				} else if c == '\'' && camel {
					more, _ := contraction(s, base+j, true)
					j += more
				}
				goto piece
			}
			if kind == kindPrefix {
				next := b[start]
				if next >= 0x80 {
					goto slow
				}
				if start >= end {
					return end, total + 1
				}
				if follows[b[i]] == 1 || b[i] == ' ' && follows[next] == 1 {
					j = start
					for j < end && follows[b[j]] == 1 {
						j++
					}
					if j < end && b[j] >= 0x80 {
						goto slow
					}
					for j < end && (b[j] == '\r' || b[j] == '\n' || b[j] == '/' && camel) {
						j++
					}
					goto piece
				}
				if follows[next] == 0 { // one space before a digit
					total++
					i = start
					continue
				}
				goto white
			}
			goto slow
		}
		switch kind {
		case kindDigit:
			// One to three ASCII digits are one token in both vocabularies.
			j++
			if kinds[b[j]] == kindDigit {
				if j++; kinds[b[j]] == kindDigit {
					j++
					total++
					i = j
					continue
				}
			}
			if b[j] >= 0x80 {
				goto slow
			}
			total++
			i = j
			continue
		case kindNewline:
			goto white
		default:
			goto slow
		}

	white:
		{
			newline := 0
			for j < end && follows[b[j]] == 2 {
				if c := b[j]; c == '\n' || c == '\r' {
					newline = j + 1
				}
				j++
			}
			switch {
			case j >= end:
				if camel && newline > 0 {
					j = newline
				}
			case b[j] >= 0x80:
				goto slow
			case newline > 0:
				j = newline
			case j > i+1:
				j--
			}
		}

	piece:
		if n := j - i; n == 1 {
			total++
		} else if n == 2 {
			total += t.twoBytes(b[i], b[i+1])
		} else if n <= shortMax {
			k := key{lo: binary.LittleEndian.Uint64(b[i:]), hi: uint64(n) << 56}
			if n < 8 {
				k.lo &= 1<<(8*n&63) - 1
			} else if n > 8 {
				k.hi |= binary.LittleEndian.Uint64(b[i+8:]) & (1<<(8*(n-8)&63) - 1)
			}
			slot := &w.cache[k.hash()>>(64-cacheBits)]
			if slot.lo == k.lo && slot.hi&(1<<60-1) == k.hi {
				total += int(slot.hi >> 60)
			} else {
				total += t.shortMiss(w, slot, k, s[base+i:base+j])
			}
		} else {
			total += t.piece(w, s[base+i:base+j])
		}
		i = j
		continue

	slow:
		{
			split := splitCl100k
			if camel {
				split = splitO200k
			}
			j, _ = split(s, base+i)
			total += t.piece(w, s[base+i:j])
			i = j - base
		}
	}
	return i, total
}
