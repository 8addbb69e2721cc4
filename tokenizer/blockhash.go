package tokenizer

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// blockHash is the key of NH, the hash at the bottom of UMAC and VMAC, over words
// of 64 bits: for two different blocks of one size, whoever made them, it is the
// same with a chance of 2^-64 at most to all who do not know the key. One
// multiplication for 16 bytes makes it faster than maphash, on every platform.
type blockHash [prefixBlock / 8]uint64

func newBlockHash() *blockHash {
	var raw [prefixBlock]byte
	_, _ = rand.Read(raw[:]) // never fails
	key := new(blockHash)
	for i := range key {
		key[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return key
}

// sum hashes a block of prefixBlock bytes at most.
func (key *blockHash) sum(block []byte) (hi, lo uint64) {
	whole := len(block) &^ 63
	hi, lo = key.strides(block[:whole], 0)
	if whole < len(block) {
		var rest [64]byte
		copy(rest[:], block[whole:])
		h, l := key.strides(rest[:], whole/8)
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
	}
	return hi, lo
}

// strides hashes a multiple of 64 bytes with the key's words from at on. Two sums
// are built, so that neither waits for the other's carry.
func (key *blockHash) strides(b []byte, at int) (hi, lo uint64) {
	var hi2, lo2, h, l, carry uint64
	for i := 0; i+64 <= len(b); i += 64 {
		m, k := b[i:i+64:i+64], key[at+i/8:at+i/8+8:at+i/8+8]
		h, l = bits.Mul64(word(m)+k[0], word(m[8:])+k[1])
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
		h, l = bits.Mul64(word(m[16:])+k[2], word(m[24:])+k[3])
		lo2, carry = bits.Add64(lo2, l, 0)
		hi2, _ = bits.Add64(hi2, h, carry)
		h, l = bits.Mul64(word(m[32:])+k[4], word(m[40:])+k[5])
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
		h, l = bits.Mul64(word(m[48:])+k[6], word(m[56:])+k[7])
		lo2, carry = bits.Add64(lo2, l, 0)
		hi2, _ = bits.Add64(hi2, h, carry)
	}
	lo, carry = bits.Add64(lo, lo2, 0)
	hi, _ = bits.Add64(hi, hi2, carry)
	return hi, lo
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
