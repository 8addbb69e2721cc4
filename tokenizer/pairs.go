package tokenizer

import "math/bits"

const (
	idBits  = 20 // token ids are below 1<<20
	idMask  = 1<<idBits - 1
	noToken = ^uint32(0)

	// hashFactor is 2^64 divided by the golden ratio (Fibonacci hashing).
	hashFactor = 0x9E3779B97F4A7C15
)

// pairTable maps two adjacent tokens to the token that they merge into. Open
// addressing, one word for each entry: left, right, result plus one. Most probes are
// for pairs that do not merge, so two things stand before the table: a bit for
// each token that is the left, or the right, of any pair (most long tokens are
// neither; 50 KB, which stays in the cache), and a filter of two bytes a pair.
type pairTable struct {
	lefts  []uint64
	rights []uint64
	slots  []uint64
	shift  uint
	filter []uint64
	mask   uint32

	touched uint64 // keeps addAll's reads from being optimised away
}

// newPairTable makes room for n pairs of ids below ids.
func newPairTable(n, ids int) pairTable {
	size := bits.Len(uint(max(n, 2) * 3 / 2))
	words := ids>>6 + 1
	return pairTable{
		lefts:  make([]uint64, words),
		rights: make([]uint64, words),
		slots:  make([]uint64, 1<<size),
		shift:  uint(64 - size),
		filter: make([]uint64, max(1<<(size+2)>>6, 1)),
		mask:   1<<(size+2) - 1,
	}
}

func pairSlot(left, right, result uint32) uint64 {
	return (uint64(left)<<idBits|uint64(right))<<idBits | uint64(result+1)
}

func (p *pairTable) add(left, right, result uint32) {
	p.addAll([]uint64{pairSlot(left, right, result)})
}

// addAll adds pairs, each as it is in a slot. It reads all slots first: their
// places are random, and unlike the writes, which depend on what is there,
// these reads do not wait for each other's cache misses.
func (p *pairTable) addAll(pairs []uint64) {
	touched := uint64(0)
	for _, slot := range pairs {
		touched |= p.slots[slot>>idBits*hashFactor>>p.shift]
	}
	p.touched = touched
	for _, slot := range pairs {
		key := slot >> idBits
		left, right := key>>idBits, key&idMask
		p.lefts[left>>6] |= 1 << (left & 63)
		p.rights[right>>6] |= 1 << (right & 63)
		h := key * hashFactor
		bit := uint32(h>>16) & p.mask
		p.filter[bit>>6] |= 1 << (bit & 63)
		at := h >> p.shift
		for p.slots[at] != 0 {
			at = (at + 1) & uint64(len(p.slots)-1)
		}
		p.slots[at] = slot
	}
}

// merge returns the token that left and right merge into, noToken if none.
func (p *pairTable) merge(left, right uint32) uint32 {
	if p.lefts[left>>6]>>(left&63)&(p.rights[right>>6]>>(right&63))&1 == 0 {
		return noToken
	}
	key := uint64(left)<<idBits | uint64(right)
	h := key * hashFactor
	bit := uint32(h>>16) & p.mask
	if p.filter[bit>>6]>>(bit&63)&1 == 0 {
		return noToken
	}
	at := h >> p.shift
	for {
		slot := p.slots[at]
		if slot>>idBits == key && slot != 0 {
			return uint32(slot)&idMask - 1
		}
		if slot == 0 {
			return noToken
		}
		at = (at + 1) & uint64(len(p.slots)-1)
	}
}
