package tokenizer

// segment finds the tokens of a piece in time linear in its length.
//
// Byte pair encoding gives every text exactly one segmentation in which all
// neighbouring tokens are compatible: had the two been merged apart from
// their surroundings, no merge would have crossed their border. So a search
// from left to right works: take the longest token that matches; if it is
// incompatible with the token before, the next shorter one; if none is left,
// give the token before up. A bit for each position that led nowhere bounds
// the work. (The approach of github/rust-gems' bpe crate.)
//
// The tokens are left in w.stack.
func (t *bpe) segment(w *worker, s string) {
	words := len(s)>>6 + 1
	if cap(w.dead) < words {
		w.dead = make([]uint64, words)
	}
	dead := w.dead[:words]
	clear(dead)
	stack := w.stack[:0]
	pos, last := 0, noToken
	next, size := t.trie.longest(s)
	for pos < len(s) {
		w.steps++
		end := pos + size
		if dead[end>>6]>>(end&63)&1 == 0 && (last == noToken || t.compatible(w, last, next)) {
			stack = append(stack, next)
			pos, last = end, next
			next, size = t.trie.longest(s[pos:])
			continue
		}
		if next = t.tokens[next].prefix; next != noToken {
			size = int(t.tokens[next].size)
			continue
		}
		dead[pos>>6] |= 1 << (pos & 63)
		next, size = last, int(t.tokens[last].size)
		pos -= size
		stack = stack[:len(stack)-1]
		last = noToken
		if len(stack) > 0 {
			last = stack[len(stack)-1]
		}
	}
	w.stack = stack
}

// compatible is validPair behind the worker's cache.
func (t *bpe) compatible(w *worker, left, right uint32) bool {
	k := uint64(left)<<idBits | uint64(right)
	at := &w.valid[k*hashFactor>>(64-validBits)]
	if *at>>1 == k && k != 0 {
		return *at&1 == 1
	}
	ok := t.validPair(left, right)
	*at = k << 1
	if ok {
		*at |= 1
	}
	return ok
}

// validPair reports whether the merges of left followed by right would end as
// exactly these two tokens. It undoes the merges along the touching edges from
// the latest back; a merge across the border that comes earlier than the
// merges undone so far would have won.
func (t *bpe) validPair(left, right uint32) bool {
	limit := noToken
	for {
		if merged := t.pairs.merge(left, right); merged < limit {
			return false
		}
		undoLeft := left > right
		if undoLeft {
			limit = left
			left = t.tokens[left].right
			if left != limit {
				continue
			}
		}
		limit = right + 1
		right = t.tokens[right].left
		if right+1 != limit {
			continue
		}
		if undoLeft {
			return true
		}
		limit = left
		left = t.tokens[left].right
		if left == limit {
			return true
		}
	}
}
