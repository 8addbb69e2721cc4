package tokenizer

// PrefixBlock is prefixBlock for tests that see what a dialect's walker sees.
const PrefixBlock = prefixBlock

// Sampled is sampled.
const Sampled = sampled

// NewMemoOf is NewMemo with blocks of another size.
func NewMemoOf(block int) *Memo {
	m := NewMemo()
	m.block = block
	return m
}

// Stats is MemoStats of one memo.
func (m *Memo) Stats() (hits, misses uint64) { return m.hits.Load(), m.misses.Load() }

// Use has p look into m.
func (p *Prompt) Use(m *Memo) { p.memo = m }

// State is what p knows besides its tokens.
func (p *Prompt) State() (messages int, flags uint8) { return p.messages, p.sum.flags }
