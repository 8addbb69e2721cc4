package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// mac is HMAC-SHA-256 of a whole credential, or, of one in Weir's format, of a
// NUL, the id and the 43 characters of the secret. What is left out follows
// from the rest, and 54 bytes are one block of SHA-256 where the whole is two.
type mac [sha256.Size]byte

// ownLength is how much of a secret in Weir's format is hashed. With SHA-256's
// padding it fills at most one block, or this does not compile.
const (
	ownLength = 1 + idLength + entropyLength
	_         = uint(sha256.BlockSize - 9 - ownLength)
)

// digest is what crypto/sha256 returns.
type digest interface {
	hash.Hash
	encoding.BinaryUnmarshaler
	encoding.BinaryAppender
}

// states are SHA-256 after the block that HMAC begins with, for its inner and
// its outer hash. RFC 2104, section 4, keeps them for a key that is used again
// and again: two compressions are left of four. nil where this version of Go
// writes its states in another way than [stateWords] reads.
type states struct{ inner, outer []byte }

// Go writes the eight words of the state after four bytes that name the hash.
const (
	stateWords  = 4
	stateLength = stateWords + sha256.Size + sha256.BlockSize + 8
)

// newStates absorbs the pepper.
func newStates(pepper []byte) *states {
	if len(pepper) > sha256.BlockSize {
		short := sha256.Sum256(pepper)
		pepper = short[:]
	}
	absorb := func(pad byte) []byte {
		var block [sha256.BlockSize]byte
		copy(block[:], pepper)
		for i := range block {
			block[i] ^= pad
		}
		d, ok := sha256.New().(digest)
		if !ok {
			return nil
		}
		d.Write(block[:])
		state, err := d.AppendBinary(nil)
		if err != nil || len(state) != stateLength {
			return nil
		}
		return state
	}
	s := &states{inner: absorb(0x36), outer: absorb(0x5c)}
	if s.inner == nil || s.outer == nil || !s.sound(pepper) {
		return nil
	}
	return s
}

// sound reports whether the states give what crypto/hmac does.
func (s *states) sound(pepper []byte) bool {
	var own blocks
	for i := range ownLength {
		own.message[i] = byte(i)
	}
	own.init()
	h := hmac.New(sha256.New, pepper)
	h.Write(own.message[:ownLength])
	var sum mac
	return s.sum(&own, &sum) && hmac.Equal(h.Sum(nil), sum[:])
}

// blocks is the memory for one MAC of ownLength bytes: the last blocks of the
// inner and the outer hash, which hold their padding from the start. Handing
// whole blocks to SHA-256 spares it its buffer, and reading its state the copy
// that its Sum makes.
type blocks struct {
	message, inner [sha256.BlockSize]byte
	digest         digest
	state          []byte
}

// init writes the padding: a one bit and the length in bits, the pepper's block
// included.
func (b *blocks) init() {
	b.digest = sha256.New().(digest)
	b.state = make([]byte, 0, stateLength)
	for block, n := range map[*[sha256.BlockSize]byte]int{&b.message: ownLength, &b.inner: sha256.Size} {
		block[n] = 0x80
		binary.BigEndian.PutUint64(block[len(block)-8:], uint64(sha256.BlockSize+n)*8)
	}
}

// sum is the MAC of the message. It fails when the states are not this Go's.
func (s *states) sum(b *blocks, into *mac) bool {
	if !b.compress(s.inner, &b.message) {
		return false
	}
	copy(b.inner[:], b.state[stateWords:stateWords+sha256.Size])
	if !b.compress(s.outer, &b.inner) {
		return false
	}
	copy(into[:], b.state[stateWords:])
	return true
}

func (b *blocks) compress(state []byte, block *[sha256.BlockSize]byte) bool {
	if b.digest.UnmarshalBinary(state) != nil {
		return false
	}
	b.digest.Write(block[:])
	var err error
	b.state, err = b.digest.AppendBinary(b.state[:0])
	return err == nil && len(b.state) == stateLength
}

// same is 1 if a and b are equal, else 0, in the same time for all: it is
// subtle.ConstantTimeCompare by words, which are as wide as SHA-256 has just
// written them, so that the processor need not wait for its own stores.
func same(a, b *mac) int {
	var differ uint32
	for i := 0; i < len(a); i += 4 {
		differ |= binary.LittleEndian.Uint32(a[i:]) ^ binary.LittleEndian.Uint32(b[i:])
	}
	return int(1 ^ (differ|-differ)>>31)
}
