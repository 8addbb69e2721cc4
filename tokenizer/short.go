package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// shortMax is the longest piece that fits a key: two words, the length in the
// low half of the top byte. 97 % of the tokens of o200k_base are that short.
const shortMax = 15

// key is a piece of up to 15 bytes: bytes 0-7, and bytes 8-14 with the length
// in bits 56-59. Bits 60-63 of the second word are free.
type key struct{ lo, hi uint64 }

func (k key) hash() uint64 {
	return (k.lo ^ bits.RotateLeft64(k.hi, 23)*hashFactor) * 0xD6E8FEB86659FD93
}

// makeKey packs s, of 1 to 15 bytes, without reading past it.
func makeKey(s string) key {
	n := len(s)
	b := stringBytes(s)
	tag := uint64(n) << 56
	switch {
	case n >= 8:
		return key{
			lo: binary.LittleEndian.Uint64(b),
			hi: binary.LittleEndian.Uint64(b[n-8:])>>(8*(16-n)&63)&(1<<56-1) | tag,
		}
	case n >= 4:
		return key{uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4)), tag}
	default:
		return key{uint64(b[0]) | uint64(b[n>>1])<<(8*(n>>1)) | uint64(b[n-1])<<(8*(n-1)), tag}
	}
}

// shortTable holds the keys of all tokens of up to 15 bytes.
type shortTable struct {
	slots []key
	shift uint
}

// buildShort also returns the id of the token in each slot.
func buildShort(v *vocab) (t shortTable, ids []uint32) {
	n := 0
	for _, e := range v.entries {
		if e.size <= shortMax {
			n++
		}
	}
	size := bits.Len(uint(max(n, 2) * 5 / 4))
	t = shortTable{slots: make([]key, 1<<size), shift: uint(64 - size)}
	ids = make([]uint32, 1<<size)
	for _, e := range v.entries {
		if e.size > shortMax {
			continue
		}
		k := makeKey(bytesAsString(v.bytes(e)))
		at := k.hash() >> t.shift
		for t.slots[at].hi != 0 {
			at = (at + 1) & uint64(len(t.slots)-1)
		}
		t.slots[at] = k
		ids[at] = e.id
	}
	return t, ids
}

// has reports whether k is a token.
func (t *shortTable) has(k key) bool {
	_, ok := t.find(k)
	return ok
}

// find returns the slot of k.
func (t *shortTable) find(k key) (slot uint64, ok bool) {
	at := k.hash() >> t.shift
	for {
		slot := t.slots[at]
		if slot == k {
			return at, true
		}
		if slot.hi == 0 {
			return 0, false
		}
		at = (at + 1) & uint64(len(t.slots)-1)
	}
}
