package tokenizer

import (
	"slices"
	"sync"
	"unsafe"
)

// bytesAsString views b as a string without a copy; the string must not
// outlive the call that b was lent for.
func bytesAsString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// stringBytes views s as bytes, which must not be written to.
func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// token is what the merge algorithms know of one token.
type token struct {
	left, right uint32 // the tokens that merge into it; itself for a byte
	prefix      uint32 // the longest token that is a proper prefix, or noToken
	size        uint32 // in bytes; 0: no token has this id
}

// bpe is a vocabulary ready for counting. Every token is made by merging two
// tokens of lower rank (checked when the vocabulary is packed); the linear
// algorithm rests on that. It is immutable but for the workers' free list.
type bpe struct {
	tokens    []token
	byteID    [256]uint32
	byteOf    map[uint32]byte
	bytePairs []uint32 // token of two bytes plus one, by first byte << 8 | second
	trie      trie
	pairs     pairTable
	short     shortTable
	workers   workerList
}

func newBPE(v *vocab) *bpe {
	t := &bpe{tokens: make([]token, v.size), bytePairs: make([]uint32, 1<<16), byteOf: make(map[uint32]byte, 256)}
	var wait sync.WaitGroup
	wait.Go(func() { t.short = buildShort(v) })
	t.trie = buildTrie(v, t.tokens)
	wait.Go(t.trie.indexWide)
	var halves sync.WaitGroup
	for part := range slices.Chunk(v.entries, len(v.entries)/4+1) {
		halves.Go(func() { t.findRights(v, part) })
	}
	halves.Wait()
	t.pairs = newPairTable(len(v.entries), v.size)
	for _, e := range v.entries {
		text := v.bytes(e)
		switch e.size {
		case 1:
			t.byteID[text[0]], t.byteOf[e.id] = e.id, text[0]
			continue
		case 2:
			t.bytePairs[int(text[0])<<8|int(text[1])] = e.id + 1
		}
		t.pairs.add(t.tokens[e.id].left, t.tokens[e.id].right, e.id)
	}
	wait.Wait()
	t.workers.init()
	return t
}

// findRights fills in the right halves of tokens; the trie gave the left ones.
func (t *bpe) findRights(v *vocab, entries []entry) {
	for _, e := range entries {
		t.tokens[e.id].right = e.id
		if e.size > 1 {
			t.tokens[e.id].right, _ = t.trie.find(v.bytes(e)[e.left:])
		}
	}
}

// appendToken appends the bytes of a token by undoing its merges.
func (t *bpe) appendToken(dst []byte, id uint32) []byte {
	for t.tokens[id].size > 1 {
		dst = t.appendToken(dst, t.tokens[id].left)
		id = t.tokens[id].right
	}
	return append(dst, t.byteOf[id])
}
