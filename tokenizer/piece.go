package tokenizer

import "math/bits"

// longKey is a piece of 16 to 31 bytes; the length is in bits 56-60 of the
// last word, and the count, when it is at most 7, in bits 61-63.
type longKey [4]uint64

const longMax = 31

// piece returns the number of tokens of one piece of text.
func (t *bpe) piece(w *worker, s string) int {
	switch {
	case len(s) == 1:
		return 1
	case len(s) == 2:
		return t.twoBytes(s[0], s[1])
	case len(s) <= shortMax:
		k := makeKey(s)
		slot := &w.cache[k.hash()>>(64-cacheBits)]
		if slot.lo == k.lo && slot.hi&(1<<60-1) == k.hi {
			return int(slot.hi >> 60)
		}
		return t.shortMiss(w, slot, k, s)
	case len(s) <= longMax:
		return t.mediumPiece(w, s)
	}
	t.segment(w, s)
	return len(w.stack)
}

// shortMiss counts a piece of up to 15 bytes and puts it into its slot.
func (t *bpe) shortMiss(w *worker, slot *key, k key, s string) int {
	n := 1
	if len(s) <= mergeMax || !t.short.has(k) {
		if len(s) > wideMin && s[len(s)-1] >= 0x80 {
			t.segment(w, s)
			n = len(w.stack)
		} else {
			n = t.mergeShort(k)
		}
	}
	*slot = key{k.lo, k.hi | uint64(n)<<60}
	return n
}

// mergeMax is the length up to which merging costs no more than asking the
// table whether the piece is a token.
const mergeMax = 4

// twoBytes counts a piece of two bytes, without a place in the cache.
func (t *bpe) twoBytes(a, b byte) int {
	if t.bytePairs[int(a)<<8|int(b)] != 0 {
		return 1
	}
	return 2
}

// wideMin is the length above which a piece that is not ASCII is segmented: its
// characters of three bytes are mostly tokens, which merging would have to make
// first.
const wideMin = 5

func (t *bpe) mediumPiece(w *worker, s string) int {
	a, b := makeKey(s[:shortMax]), makeKey(s[shortMax:min(len(s), 2*shortMax)])
	k := longKey{a.lo, a.hi, b.lo, b.hi&(1<<56-1) | uint64(len(s))<<56}
	if len(s) == longMax {
		k[1] = k[1]&(1<<56-1) | uint64(s[longMax-1])<<56
	}
	h := (k[0] ^ bits.RotateLeft64(k[1], 17) ^ (k[2]^bits.RotateLeft64(k[3], 29))*hashFactor) * 0xD6E8FEB86659FD93
	slot := &w.cache2[h>>(64-cache2Bits)]
	if slot[0] == k[0] && slot[1] == k[1] && slot[2] == k[2] && slot[3]&(1<<61-1) == k[3] {
		return int(slot[3] >> 61)
	}
	t.segment(w, s)
	n := len(w.stack)
	if n <= 7 {
		*slot = k
		slot[3] |= uint64(n) << 61
	}
	return n
}

// mergeShort merges a piece of up to 15 bytes, lowest rank first. On so few
// bytes a scan for the minimum beats every cleverer structure.
func (t *bpe) mergeShort(k key) int {
	var ids, ranks [16]uint32
	n := int(k.hi >> 56)
	for i := range n {
		c := byte(k.lo)
		k.lo = k.lo>>8 | k.hi<<56
		k.hi >>= 8
		ids[i] = uint32(c)
	}
	for i := range n - 1 {
		ranks[i] = t.bytePairs[ids[i]<<8|ids[i+1]] - 1
	}
	for i := range n {
		ids[i] = t.byteID[byte(ids[i])]
	}
	for n > 1 {
		best, at := noToken, 0
		for i := range n - 1 {
			if ranks[i&15] < best {
				best, at = ranks[i&15], i
			}
		}
		if best == noToken {
			break
		}
		ids[at] = best
		n--
		copy(ids[at+1:n], ids[at+2:n+1])
		copy(ranks[at:max(n-1, at)], ranks[at+1:n])
		if at > 0 {
			ranks[at-1] = t.pairs.merge(ids[at-1], best)
		}
		if at < n-1 {
			ranks[at] = t.pairs.merge(best, ids[at+1])
		}
	}
	return n
}
