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
// for pairs that do not merge, so a bit filter of two bytes a pair stands
// before the table.
type pairTable struct {
	slots  []uint64
	shift  uint
	filter []uint64
	mask   uint32
}

func newPairTable(n int) pairTable {
	size := bits.Len(uint(max(n, 2) * 3 / 2))
	return pairTable{
		slots:  make([]uint64, 1<<size),
		shift:  uint(64 - size),
		filter: make([]uint64, max(1<<(size+2)>>6, 1)),
		mask:   1<<(size+2) - 1,
	}
}

func (p *pairTable) add(left, right, result uint32) {
	key := uint64(left)<<idBits | uint64(right)
	h := key * hashFactor
	bit := uint32(h>>16) & p.mask
	p.filter[bit>>6] |= 1 << (bit & 63)
	at := h >> p.shift
	for p.slots[at] != 0 {
		at = (at + 1) & uint64(len(p.slots)-1)
	}
	p.slots[at] = key<<idBits | uint64(result+1)
}

// merge returns the token that left and right merge into, noToken if none.
func (p *pairTable) merge(left, right uint32) uint32 {
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
