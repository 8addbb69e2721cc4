package tokenizer

import "math/bits"

// trie is a double array over all tokens. A node is one word: the byte that
// leads to it (bits 0-7), a used flag (bit 8), the base of its children (bits
// 9-32) and its token id plus one (from bit 33, 0: no token ends here). The
// child for byte c is at base XOR c. No two nodes have the same base, so the
// label alone proves that a slot belongs to its parent; leaves have base 0,
// whose block stays empty.
type trie struct {
	nodes []uint64
	root  uint64 // the root's word; it has no slot
}

const (
	trieUsed   = 1 << 8
	trieBase   = 9
	trieID     = 33
	trieBaseBM = 1<<24 - 1
)

// child returns the word of the child of node for c; ok is false when there
// is none.
func (t *trie) child(node uint64, c byte) (uint64, bool) {
	next := t.nodes[uint32(node>>trieBase)&trieBaseBM^uint32(c)]
	return next, next&0x1FF == uint64(c)|trieUsed
}

// longest returns the longest token that text starts with, and its length.
// Every byte is a token, so there is one unless text is empty.
func (t *trie) longest(text string) (id uint32, size int) {
	node := t.root
	for i := 0; i < len(text); i++ {
		next, ok := t.child(node, text[i])
		if !ok {
			break
		}
		if v := uint32(next >> trieID); v != 0 {
			id, size = v, i+1
		}
		node = next
	}
	return id - 1, size
}

// find returns the id of the token that is text.
func (t *trie) find(text []byte) (id uint32, ok bool) {
	node := t.root
	for _, c := range text {
		next, found := t.child(node, c)
		if !found {
			return 0, false
		}
		node = next
	}
	v := uint32(node >> trieID)
	return v - 1, v != 0
}

// trieBuilder places nodes. free has one bit for each slot; a base is taken
// once.
type trieBuilder struct {
	trie
	vocab  *vocab
	tokens []token
	path   [256]uint32 // token that ends at each depth of the current path
	free   []uint64
	bases  []uint64
	labels []byte // of the nodes on the path
	ends   []int
	single int        // blocks below have no free slot
	open   []trieOpen // blocks worth trying for nodes with several children
}

type trieOpen struct{ block, failures int }

// buildTrie fills the trie and, for each token, its left half and its longest
// proper prefix, which are nodes on its path.
func buildTrie(v *vocab, tokens []token) trie {
	b := &trieBuilder{vocab: v, tokens: tokens}
	b.grow()
	for i := range b.free {
		b.free[i] = 0 // block 0 is the children's block of leaves
	}
	b.root = b.build(v.entries, 0, -1, noToken)
	return b.trie
}

func (b *trieBuilder) grow() {
	b.nodes = append(b.nodes, make([]uint64, 256)...)
	for range 4 {
		b.free = append(b.free, ^uint64(0))
		b.bases = append(b.bases, 0)
	}
}

// build places the children of the node whose tokens are in sorted order in
// entries, and returns the node's word without its label.
func (b *trieBuilder) build(entries []entry, depth, slot int, prefix uint32) uint64 {
	word := uint64(0)
	if e := entries[0]; int(e.size) == depth {
		t := &b.tokens[e.id]
		t.size, t.prefix, t.left = uint32(depth), prefix, e.id
		if e.left > 0 {
			t.left = b.path[e.left]
		}
		prefix = e.id
		word = uint64(e.id+1) << trieID
		entries = entries[1:]
		if depth < len(b.path) {
			b.path[depth] = e.id
		}
	}
	if len(entries) == 0 {
		return word
	}
	mark := len(b.labels) // a stack: arrays would be cleared for each node
	for i := 0; i < len(entries); {
		c := b.vocab.blob[int(entries[i].off)+depth]
		for i++; i < len(entries) && b.vocab.blob[int(entries[i].off)+depth] == c; i++ {
		}
		b.labels = append(b.labels, c)
		b.ends = append(b.ends, i)
	}
	limit := len(b.labels)
	base := b.place(b.labels[mark:limit], slot)
	start := 0
	for i := mark; i < limit; i++ {
		c, end := b.labels[i], b.ends[i]
		at := base ^ int(c)
		b.nodes[at] = b.build(entries[start:end], depth+1, at, prefix) | uint64(c) | trieUsed
		start = end
	}
	b.labels, b.ends = b.labels[:mark], b.ends[:mark]
	return word | uint64(base)<<trieBase
}

// place finds a base for a node with these labels and takes its slots: in the
// block of the node itself if it can (fewer cache lines on the way down),
// else in the oldest block with room, else in a new one.
func (b *trieBuilder) place(labels []byte, slot int) int {
	if slot >= 0 {
		if base, ok := b.fit(labels, slot>>8); ok {
			return base
		}
	}
	blocks := len(b.free) / 4
	if len(labels) == 1 {
		for ; b.single < blocks; b.single++ {
			if base, ok := b.fit(labels, b.single); ok {
				return base
			}
		}
	}
	for i := 0; i < min(len(b.open), openBlocks); i++ {
		if base, ok := b.fit(labels, b.open[i].block); ok {
			return base
		}
		if b.open[i].failures++; b.open[i].failures > openFailures {
			b.open = append(b.open[:i], b.open[i+1:]...)
			i--
		}
	}
	b.grow()
	b.open = append(b.open, trieOpen{block: blocks})
	base, _ := b.fit(labels, blocks)
	return base
}

// openBlocks blocks are tried for a node with several children before a new
// one is opened; one that failed openFailures times is left to only children.
// They trade the time of loading for memory.
const (
	openBlocks   = 8
	openFailures = 24
)

// fit looks for a base in a block: the candidates are the intersection of the
// free slots seen from each label.
func (b *trieBuilder) fit(labels []byte, block int) (base int, ok bool) {
	free, taken := b.free[4*block:4*block+4:4*block+4], b.bases[4*block:4*block+4:4*block+4]
	if len(labels) == 1 {
		for i, word := range free {
			for ; word != 0; word &= word - 1 {
				low := (i<<6 | bits.TrailingZeros64(word)) ^ int(labels[0])
				if taken[low>>6]>>(low&63)&1 == 0 {
					taken[low>>6] |= 1 << (low & 63)
					free[i] &^= word & -word
					return block<<8 | low, true
				}
			}
		}
		return 0, false
	}
	var can [4]uint64
	for i := range can {
		can[i] = ^taken[i]
	}
	for _, c := range labels {
		any := uint64(0)
		for i := range can {
			can[i] &= xorBits(free[i^int(c>>6)], c&63)
			any |= can[i]
		}
		if any == 0 {
			return 0, false
		}
	}
	for i, word := range can {
		if word != 0 {
			low := i<<6 | bits.TrailingZeros64(word)
			taken[i] |= word & -word
			for _, c := range labels {
				at := low ^ int(c)
				free[at>>6] &^= 1 << (at & 63)
			}
			return block<<8 | low, true
		}
	}
	return 0, false
}

// xorBits moves bit i of w to bit i XOR x.
func xorBits(w uint64, x byte) uint64 {
	for k, mask := range [6]uint64{
		0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F,
		0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF,
	} {
		if x>>k&1 == 1 {
			n := 1 << k
			w = w>>n&mask | w&mask<<n
		}
	}
	return w
}
