package tokenizer

import "math/bits"

// trieBuilder places nodes. free has one bit for each slot; a base is taken
// once.
type trieBuilder struct {
	trie
	vocab  *vocab
	tokens []token
	inner  []trieNode // nodes with children, parents first
	kids   []trieKid  // the children of each inner node side by side
	path   [256]uint32
	labels []byte
	free   []uint64
	bases  []uint64
	single int        // blocks below have no free slot
	open   []trieOpen // blocks worth trying for nodes with several children
}

type trieOpen struct{ block, failures int }

// trieNode is a node with children. Its tokens are entries[low:high], all at
// least as long as depth.
type trieNode struct {
	low, high, depth uint32
	best             uint32 // lowest id below it
	kids, count      uint32 // its children, in trieBuilder.kids
	slot             int32  // -1: the root
}

// trieKid is a child: its label, the token that ends there plus one, its inner
// node or -1.
type trieKid struct {
	label byte
	inner int32
	id    uint32
}

// buildTrie fills the trie and, for each token, its left half and its longest
// proper prefix, which are nodes on its path. Nodes are placed in the order of
// the best token below them, so that the nodes of frequent tokens share cache
// lines: what a walk costs is cache misses.
func buildTrie(v *vocab, tokens []token) trie {
	b := &trieBuilder{vocab: v, tokens: tokens}
	b.grow()
	for i := range b.free {
		b.free[i] = 0 // block 0 is the children's block of leaves
	}
	b.inner = make([]trieNode, 1, len(v.entries)*5/4)
	b.kids = make([]trieKid, 0, len(v.entries)*9/4)
	b.inner[0] = trieNode{high: uint32(len(v.entries)), slot: -1}
	b.scan(0, noToken)
	b.nodes = append(make([]uint64, 0, len(b.kids)*103/100+1024), b.nodes...)
	order := make([]uint32, len(b.inner))
	starts := make([]uint32, v.size+1)
	for i := range b.inner {
		starts[b.inner[i].best+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	for i := range b.inner {
		at := &starts[b.inner[i].best]
		order[*at] = uint32(i)
		*at++
	}
	for _, i := range order {
		b.layOut(&b.inner[i])
	}
	return b.trie
}

// scan lists the nodes below b.inner[at] that have children, and fills in the
// tokens that end on the way. It returns the lowest id below.
func (b *trieBuilder) scan(at int, prefix uint32) uint32 {
	n := b.inner[at]
	depth := int(n.depth)
	entries := b.vocab.entries
	best := noToken
	if e := entries[n.low]; int(e.size) == depth {
		prefix = b.finish(e, prefix)
		b.path[depth] = e.id
		best = e.id
		n.low++
	}
	mark := len(b.kids)
	for i := n.low; i < n.high; {
		first := i
		kid := trieKid{label: b.vocab.blob[entries[i].off+n.depth], inner: -1}
		for i++; i < n.high && b.vocab.blob[entries[i].off+n.depth] == kid.label; i++ {
		}
		e := entries[first]
		ends := int(e.size) == depth+1
		if ends {
			kid.id = e.id + 1
		}
		if ends && i == first+1 {
			b.finish(e, prefix)
			best = min(best, e.id)
		} else {
			kid.inner = int32(len(b.inner))
			b.inner = append(b.inner, trieNode{low: first, high: i, depth: n.depth + 1})
		}
		b.kids = append(b.kids, kid)
	}
	limit := len(b.kids)
	for i := mark; i < limit; i++ {
		if inner := b.kids[i].inner; inner >= 0 {
			best = min(best, b.scan(int(inner), prefix))
		}
	}
	n.best, n.kids, n.count = best, uint32(mark), uint32(limit-mark)
	b.inner[at] = n
	return best
}

// finish notes what the path tells about the token that ends on it.
func (b *trieBuilder) finish(e entry, prefix uint32) uint32 {
	t := &b.tokens[e.id]
	t.size, t.prefix, t.left = uint32(e.size), prefix, e.id
	if e.left > 0 {
		t.left = b.path[e.left]
	}
	return e.id
}

// layOut places the children of n.
func (b *trieBuilder) layOut(n *trieNode) {
	kids := b.kids[n.kids : n.kids+n.count]
	labels := b.labels[:0]
	for _, kid := range kids {
		labels = append(labels, kid.label)
	}
	b.labels = labels
	base := b.place(labels, int(n.slot))
	if n.slot < 0 {
		b.root = uint64(base) << trieBase
	} else {
		b.nodes[n.slot] |= uint64(base) << trieBase
	}
	for _, kid := range kids {
		at := base ^ int(kid.label)
		b.nodes[at] = uint64(kid.label) | trieUsed | uint64(kid.id)<<trieID
		if kid.inner >= 0 {
			b.inner[kid.inner].slot = int32(at)
		}
	}
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
