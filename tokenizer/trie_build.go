package tokenizer

import "math/bits"

// trieBuilder places nodes. free has one bit for each slot; a base is taken
// once.
type trieBuilder struct {
	trie
	drafts  []trieDraft
	tops    []uint32 // by id: the highest draft that has it as its best, plus one
	labels  []byte
	free    []uint64
	bases   []uint64
	touched uint32     // keeps touch from being optimised away
	single  int        // blocks below have no free slot
	open    []trieOpen // blocks worth trying for nodes with several children
}

type trieOpen struct{ block, failures int }

// trieDraft is a node before it is placed. Drafts lie in the order of a walk
// over the sorted tokens: the first child follows its parent, most often in the
// same cache line.
type trieDraft struct {
	token   uint32 // id plus one of the token that ends here, 0: none; draftInner
	best    uint32 // lowest id here and below
	sibling uint32 // the next child of the same parent, 0: none
	slot    uint32 // its slot, once it has one, above the label's byte
}

const draftInner = 1 << 31 // the draft has children

// buildTrie places nodes in the order of the best token below them, so that the
// nodes of frequent tokens share cache lines: what a walk costs is cache misses.
func buildTrie(v *vocab) trie {
	b := &trieBuilder{}
	b.grow()
	for i := range b.free {
		b.free[i] = 0 // block 0 is the children's block of leaves
	}
	b.draft(v)
	b.nodes = append(make([]uint64, 0, len(b.drafts)*103/100+1024), b.nodes...)
	for low := 0; low < len(b.tops); low += 32 {
		tops := b.tops[low:min(low+32, len(b.tops))]
		b.touch(tops)
		for i, top := range tops {
			for n := top; n != 0; {
				n = b.layOut(n-1, uint32(low+i))
			}
		}
	}
	return b.trie
}

// touch reads what layOut will want of these drafts. Their places are random,
// and these reads, unlike those, do not wait for each other's cache misses.
func (b *trieBuilder) touch(tops []uint32) {
	for _, top := range tops {
		if top > 0 && int(top) < len(b.drafts) {
			b.touched ^= b.drafts[b.drafts[top].sibling].sibling
		}
	}
}

// draft lists the nodes. path has the nodes above the current one.
func (b *trieBuilder) draft(v *vocab) {
	b.drafts = make([]trieDraft, 1, v.nodes)
	b.drafts[0].best = noToken
	b.tops = make([]uint32, v.size)
	path := make([]uint32, v.longest+1)
	// leave closes the nodes of the path that are deeper than keep.
	leave := func(depth, keep int) {
		for ; depth > keep; depth-- {
			n, parent := path[depth], path[depth-1]
			best := b.drafts[n].best
			b.tops[best] = n + 1
			b.drafts[parent].best = min(b.drafts[parent].best, best)
		}
	}
	var previous []byte
	for _, e := range v.entries {
		text := v.bytes(e)
		keep := common(previous, text)
		if keep < len(previous) {
			leave(len(previous), keep)
			b.drafts[path[keep+1]].sibling = uint32(len(b.drafts))
		}
		b.drafts[path[keep]].token |= draftInner
		for i := keep; i < len(text); i++ {
			path[i+1] = uint32(len(b.drafts))
			b.drafts = append(b.drafts, trieDraft{token: draftInner, best: noToken, slot: uint32(text[i])})
		}
		last := &b.drafts[len(b.drafts)-1]
		last.token, last.best = e.id+1, e.id
		previous = text
	}
	leave(len(previous), 0)
	b.tops[b.drafts[0].best] = 1
}

// common returns how many bytes a and b begin with in common.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// layOut places the children of n, and returns the one whose best token is n's
// plus one, if that has children too.
func (b *trieBuilder) layOut(n, best uint32) (next uint32) {
	parent := &b.drafts[n]
	if parent.token < draftInner {
		return 0
	}
	labels := b.labels[:0]
	for kid := n + 1; kid != 0; kid = b.drafts[kid].sibling {
		labels = append(labels, byte(b.drafts[kid].slot))
	}
	b.labels = labels
	slot := int(parent.slot >> 8)
	base := b.place(labels, slot)
	if n == 0 {
		b.root = uint64(base) << trieBase
	} else {
		b.nodes[slot] |= uint64(base) << trieBase
	}
	for at := n + 1; at != 0; {
		kid := &b.drafts[at]
		label := kid.slot & 0xFF
		slot := uint32(base) ^ label
		kid.slot = slot<<8 | label
		b.nodes[slot] = uint64(label) | trieUsed | uint64(kid.token&^draftInner)<<trieID
		if kid.best == best {
			next = at + 1
		}
		at = kid.sibling
	}
	return next
}

func (b *trieBuilder) grow() {
	b.nodes = append(b.nodes, make([]uint64, 256)...)
	for range 4 {
		b.free = append(b.free, ^uint64(0))
		b.bases = append(b.bases, 0)
	}
}

// place finds a base for a node with these labels and takes its slots: in the
// block of the node itself if it can (fewer cache lines on the way down),
// else in the oldest block with room, else in a new one.
func (b *trieBuilder) place(labels []byte, slot int) int {
	if slot > 0 {
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
	openBlocks   = 4
	openFailures = 8
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
	can := [4]uint64{^taken[0], ^taken[1], ^taken[2], ^taken[3]}
	for _, c := range labels {
		a, b, d, e := free[c>>6], free[c>>6^1], free[c>>6^2], free[c>>6^3]
		for k, mask := range &xorMasks {
			if n := uint(1) << k; uint(c)&n != 0 {
				a = a>>(n&63)&mask | a&mask<<(n&63)
				b = b>>(n&63)&mask | b&mask<<(n&63)
				d = d>>(n&63)&mask | d&mask<<(n&63)
				e = e>>(n&63)&mask | e&mask<<(n&63)
			}
		}
		can = [4]uint64{can[0] & a, can[1] & b, can[2] & d, can[3] & e}
		if can[0]|can[1]|can[2]|can[3] == 0 {
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

// xorMasks are the bits i of a word with bit k of i clear: swapping them with
// the others, 1<<k further, for each bit k of c moves bit i to bit i XOR c.
var xorMasks = [6]uint64{
	0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F,
	0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF,
}
