package tokenizer

// trie is a double array over all tokens. A node is one word: the byte that
// leads to it (bits 0-7), a used flag (bit 8), the base of its children (bits
// 9-32) and its token id plus one (from bit 33, 0: no token ends here). The
// child for byte c is at base XOR c. No two nodes have the same base, so the
// label alone proves that a slot belongs to its parent; leaves have base 0,
// whose block stays empty.
type trie struct {
	nodes []uint64
	root  uint64 // the root's word; it has no slot
	// wide has the node after each character of three bytes, by code point, so
	// that a walk over Chinese or Japanese saves two of three steps for it.
	wide []uint64
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
	node, i := t.root, 0
	if len(text) > 3 && text[0]-0xE0 < 16 && t.wide != nil {
		r := int(text[0]&0x0F)<<12 | int(text[1]&0x3F)<<6 | int(text[2]&0x3F)
		if wide := t.wide[r]; wide>>trieID != 0 {
			node, i = wide, 3
			id, size = uint32(wide>>trieID), 3
		}
	}
	for ; i < len(text); i++ {
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

// indexWide fills wide from the nodes.
func (t *trie) indexWide() {
	t.wide = make([]uint64, 1<<16)
	for a := range 16 {
		first, ok := t.child(t.root, 0xE0|byte(a))
		if !ok {
			continue
		}
		for b := range 64 {
			second, ok := t.child(first, 0x80|byte(b))
			if !ok {
				continue
			}
			for c := range 64 {
				if third, ok := t.child(second, 0x80|byte(c)); ok {
					t.wide[a<<12|b<<6|c] = third
				}
			}
		}
	}
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
