package tokenizer

import (
	"bytes"
	"sort"
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
	wait.Go(func() {
		var ids []uint32
		t.short, ids = buildShort(v)
		t.pairs = newPairTable(len(v.entries), v.size)
		t.relate(v, ids)
	})
	t.trie = buildTrie(v)
	t.trie.indexWide()
	wait.Wait()
	t.workers.init()
	return t
}

// relate fills in what a token has to do with others: the two that it is
// merged from and its longest prefix. ids are those of buildShort.
func (t *bpe) relate(v *vocab, ids []uint32) {
	// The last token of a size is the prefix of that size, if there is one:
	// whatever lies between a prefix and its text in the order has that prefix.
	last := make([]uint32, v.longest+1)
	pairs := make([]uint64, 0, 64)
	var prefixes []entry // of the token before, shortest first, and that token
	for _, e := range v.entries {
		text := v.bytes(e)
		for n := len(prefixes); n > 0 && !bytes.HasPrefix(text, v.bytes(prefixes[n-1])); n-- {
			prefixes = prefixes[:n-1]
		}
		it := token{left: e.id, right: e.id, prefix: noToken, size: uint32(e.size)}
		if n := len(prefixes); n > 0 {
			it.prefix = prefixes[n-1].id
		}
		if e.size == 1 {
			t.byteID[text[0]], t.byteOf[e.id] = e.id, text[0]
		} else {
			it.left, it.right = last[e.left], v.find(text[e.left:], &t.short, ids)
			if pairs = append(pairs, pairSlot(it.left, it.right, e.id)); len(pairs) == cap(pairs) {
				t.pairs.addAll(pairs)
				pairs = pairs[:0]
			}
		}
		if e.size == 2 {
			t.bytePairs[int(text[0])<<8|int(text[1])] = e.id + 1
		}
		t.tokens[e.id] = it
		last[e.size] = e.id
		prefixes = append(prefixes, e)
	}
	t.pairs.addAll(pairs)
}

// find returns the id of the token that is text; short and ids are those of
// buildShort.
func (v *vocab) find(text []byte, short *shortTable, ids []uint32) uint32 {
	if len(text) <= shortMax {
		slot, _ := short.find(makeKey(bytesAsString(text)))
		return ids[slot]
	}
	at := sort.Search(len(v.entries), func(i int) bool { return bytes.Compare(v.bytes(v.entries[i]), text) >= 0 })
	if at == len(v.entries) {
		return 0
	}
	return v.entries[at].id
}

// appendToken appends the bytes of a token by undoing its merges.
func (t *bpe) appendToken(dst []byte, id uint32) []byte {
	for t.tokens[id].size > 1 {
		dst = t.appendToken(dst, t.tokens[id].left)
		id = t.tokens[id].right
	}
	return append(dst, t.byteOf[id])
}
