package tokenizer

// merger is byte pair encoding for any vocabulary: a list of merges by rank,
// which need not satisfy what the linear algorithm of OpenAI's vocabularies
// rests on. Long pieces take n log n time.
type merger struct {
	pairs   pairTable // two ids to the rank of their merge
	results []uint32  // rank to the id that the merge makes
}

// mergePair is one merge while a vocabulary is read.
type mergePair struct{ left, right, rank uint32 }

// newMerger builds the table of the pairs, whose ids are below ids; of equal
// pairs the first wins.
func newMerger(pairs []mergePair, results []uint32, ids int) merger {
	g := merger{pairs: newPairTable(len(pairs), ids), results: results}
	for _, p := range pairs {
		if g.pairs.merge(p.left, p.right) == noToken {
			g.pairs.add(p.left, p.right, p.rank)
		}
	}
	return g
}

// symbol is one part of a piece during merging, in a doubly linked list.
type symbol struct {
	id         uint32
	prev, next int32 // -1 at the ends
}

// candidate is a possible merge in the heap; it is stale when the symbols at
// pos are not left and right any more.
type candidate struct {
	rank        uint32
	pos         int32
	left, right uint32
}

// mergeScratch is reused between pieces.
type mergeScratch struct {
	symbols []symbol
	heap    []candidate
	ids     []uint32
	text    []byte
	best    []viterbi
}

// frozen marks the id of a symbol that takes part in no merge.
const frozen = 1 << 31

// merge merges sc.symbols, lowest rank first and leftmost among equals, and
// appends the ids that are left to sc.ids.
func (g *merger) merge(sc *mergeScratch) {
	sc.heap = sc.heap[:0]
	for i := range len(sc.symbols) - 1 {
		g.push(sc, int32(i))
	}
	for len(sc.heap) > 0 {
		c := sc.pop()
		left := &sc.symbols[c.pos]
		if left.id != c.left || left.next < 0 || sc.symbols[left.next].id != c.right {
			continue
		}
		right := &sc.symbols[left.next]
		left.id, left.next = g.results[c.rank], right.next
		right.id = noToken
		if left.next >= 0 {
			sc.symbols[left.next].prev = c.pos
			g.push(sc, c.pos)
		}
		if left.prev >= 0 {
			g.push(sc, left.prev)
		}
	}
	for i := int32(0); i >= 0 && int(i) < len(sc.symbols); i = sc.symbols[i].next {
		sc.ids = append(sc.ids, sc.symbols[i].id&^frozen)
	}
}

func (g *merger) push(sc *mergeScratch, pos int32) {
	left := sc.symbols[pos]
	right := sc.symbols[left.next].id
	if (left.id|right)&frozen != 0 {
		return
	}
	rank := g.pairs.merge(left.id, right)
	if rank == noToken {
		return
	}
	sc.heap = append(sc.heap, candidate{rank, pos, left.id, right})
	h := sc.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.pos < d.pos
}

func (sc *mergeScratch) pop() candidate {
	h := sc.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	sc.heap = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(h[i]) {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	return top
}

// link makes sc.symbols a list.
func (sc *mergeScratch) link() {
	for i := range sc.symbols {
		sc.symbols[i].prev, sc.symbols[i].next = int32(i-1), int32(i+1)
	}
	if n := len(sc.symbols); n > 0 {
		sc.symbols[n-1].next = -1
	}
}
