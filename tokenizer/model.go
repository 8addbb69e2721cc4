package tokenizer

import "fmt"

// model is a loaded encoding.
type model struct {
	split   splitFunc
	bpe     *bpe
	special map[int]string
	fast    fastRule
	foreign *foreign // from a file; the other fields are then unused
}

// fastRule says whether the fast path knows the split rule.
type fastRule uint8

const (
	fastNone fastRule = iota
	fastO200k
	fastCl100k
)

// count counts s; continued says that it goes on from text counted before.
func (m *model) count(s string, continued bool) int {
	if m.foreign != nil {
		return m.foreign.count(validString(s), continued)
	}
	w := m.bpe.workers.acquire()
	n := m.countValid(w, w.valid8(s))
	m.bpe.workers.release(w)
	return n
}

// settled counts the pieces at the start of text that no further text can
// change; done is where they end.
func (m *model) settled(text string, continued bool) (done, tokens int) {
	if m.foreign != nil {
		return m.foreign.settled(text, continued)
	}
	w := m.bpe.workers.acquire()
	for done < len(text) {
		end, open := m.split(text, done)
		if open {
			break
		}
		tokens += m.bpe.piece(w, text[done:end])
		done = end
	}
	m.bpe.workers.release(w)
	return done, tokens
}

// countValid counts text that is UTF-8.
func (m *model) countValid(w *worker, s string) (n int) {
	if m.fast != fastNone {
		return m.bpe.countFast(w, s, m.fast == fastO200k)
	}
	for i := 0; i < len(s); {
		end, _ := m.split(s, i)
		n += m.bpe.piece(w, s[i:end])
		i = end
	}
	return n
}

func (m *model) encode(dst []int, s string) []int {
	if m.foreign != nil {
		return m.foreign.encode(dst, validString(s))
	}
	w := m.bpe.workers.acquire()
	s = w.valid8(s)
	for i := 0; i < len(s); {
		end, _ := m.split(s, i)
		m.bpe.segment(w, s[i:end])
		for _, id := range w.stack {
			dst = append(dst, int(id))
		}
		i = end
	}
	m.bpe.workers.release(w)
	return dst
}

func (m *model) decode(dst []byte, ids []int) ([]byte, error) {
	if m.foreign != nil {
		return m.foreign.decode(dst, ids)
	}
	for _, id := range ids {
		switch name, ok := m.special[id]; {
		case ok:
			dst = append(dst, name...)
		case id >= 0 && id < len(m.bpe.tokens) && m.bpe.tokens[id].size > 0:
			dst = m.bpe.appendToken(dst, uint32(id))
		default:
			return dst, fmt.Errorf("decoding token ids: no token has the id %d", id)
		}
	}
	return dst, nil
}
