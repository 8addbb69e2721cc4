package tokenizer

import "unicode/utf8"

// viterbi is the best way to reach a position.
type viterbi struct {
	score float32
	start int32 // where the last piece begins, -1: not reached
	id    uint32
}

// unknownPenalty is what SentencePiece takes from the lowest score for an
// unknown character.
const unknownPenalty = 10

// unigram returns the segmentation with the highest sum of scores. A
// user-defined piece scores so high that it always wins.
func (m *spModel) unigram() func(*mergeScratch, string) {
	lowest, highest := float32(0), float32(0)
	for i, p := range m.pieces {
		if p.kind != 1 {
			continue
		}
		if i == 0 || p.score < lowest {
			lowest = p.score
		}
		highest = max(highest, p.score)
	}
	unknown := lowest - unknownPenalty
	return func(sc *mergeScratch, s string) {
		best := append(sc.best[:0], viterbi{start: 0})
		for range len(s) {
			best = append(best, viterbi{start: -1})
		}
		for i := 0; i < len(s); {
			_, n := utf8.DecodeRuneInString(s[i:])
			single := false
			node := m.trie.root
			for j := i; j < len(s); {
				next, ok := m.trie.child(node, s[j])
				if !ok {
					break
				}
				node = next
				j++
				v := uint32(node >> trieID)
				if v == 0 {
					continue
				}
				p := &m.pieces[v-1]
				score := p.score
				if p.kind == spUserDefined {
					score = float32(j-i)*highest - 0.1
				}
				single = single || j == i+n
				if at := &best[j]; at.start < 0 || best[i].score+score > at.score {
					*at = viterbi{best[i].score + score, int32(i), v - 1}
				}
			}
			if !single {
				if at := &best[i+n]; at.start < 0 || best[i].score+unknown > at.score {
					*at = viterbi{best[i].score + unknown, int32(i), m.unknown}
				}
			}
			i += n
		}
		sc.best = best
		first := len(sc.ids)
		for end := len(s); end > 0; end = int(best[end].start) {
			id := best[end].id
			switch {
			case id != m.unknown:
				sc.ids = append(sc.ids, id)
			case m.byteFallback:
				for j := end - 1; j >= int(best[end].start); j-- {
					sc.ids = append(sc.ids, m.bytes[s[j]])
				}
			case len(sc.ids) == first || sc.ids[len(sc.ids)-1] != m.unknown:
				sc.ids = append(sc.ids, id)
			}
		}
		for i, j := first, len(sc.ids)-1; i < j; i, j = i+1, j-1 {
			sc.ids[i], sc.ids[j] = sc.ids[j], sc.ids[i]
		}
	}
}
