package cache

import (
	"crypto/sha256"
	"encoding/binary"
)

// KeyOf makes the key of an answer. Each part is hashed with its length, so no
// two lists of parts can be the same bytes: a scope that a tenant may choose
// cannot imitate another tenant's. kind is what scope names, such as `key` or
// `team`; model is all that says which model answers; digest stands for the
// request.
func KeyOf(version, kind, scope, model string, digest [32]byte) Key {
	var room [512]byte
	b := room[:0]
	for _, part := range [...]string{"weir answer", version, kind, scope, model} {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(append(b, digest[:]...))
}

// short is the part of a key by which memory finds it. What it finds is then
// compared with the whole.
func (k *Key) short() uint64 { return binary.LittleEndian.Uint64(k[:]) }

// spread is a number in [0, 1) that only depends on the key.
func (k *Key) spread() float64 {
	return float64(binary.LittleEndian.Uint64(k[24:])>>11) / (1 << 53)
}
