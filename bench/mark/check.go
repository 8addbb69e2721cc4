package mark

// Faults are what went wrong with the chunks of streams.
type Faults struct {
	Lost, Doubled, Reordered, Foreign int
}

// Add adds other to f.
func (f *Faults) Add(other Faults) {
	f.Lost += other.Lost
	f.Doubled += other.Doubled
	f.Reordered += other.Reordered
	f.Foreign += other.Foreign
}

// Sum is the number of all faults.
func (f Faults) Sum() int { return f.Lost + f.Doubled + f.Reordered + f.Foreign }

// Check holds one stream to what was sent: the chunks 0, 1, 2 … of one stream,
// each once.
type Check struct {
	id    uint32
	begun bool
	next  int // one more than the highest number seen
	seen  []uint64
	count int
	f     Faults
}

// Begin makes c ready for another stream.
func (c *Check) Begin() {
	clear(c.seen)
	*c = Check{seen: c.seen}
}

// Note takes the next chunk that arrived.
func (c *Check) Note(m Mark) {
	if !c.begun {
		c.id, c.begun = m.ID, true
	}
	if m.ID != c.id {
		c.f.Foreign++
		return
	}
	word, bit := m.Number/64, uint64(1)<<(m.Number%64)
	for len(c.seen) <= word {
		c.seen = append(c.seen, 0)
	}
	switch {
	case c.seen[word]&bit != 0:
		c.f.Doubled++
		return
	case m.Number < c.next:
		c.f.Reordered++
	default:
		c.next = m.Number + 1
	}
	c.seen[word] |= bit
	c.count++
}

// Count is how many chunks have arrived, doubled ones once.
func (c *Check) Count() int { return c.count }

// End says what was wrong with a stream of which want chunks were sent.
func (c *Check) End(want int) Faults {
	f := c.f
	extra := c.countFrom(want)
	f.Lost = want - (c.count - extra)
	f.Doubled += extra // nobody sent these
	return f
}

// countFrom is how many chunks with the number want and above have arrived.
func (c *Check) countFrom(want int) (n int) {
	for i := want; i < c.next; i++ {
		if c.seen[i/64]&(1<<(i%64)) != 0 {
			n++
		}
	}
	return n
}

// Broken says what was wrong so far with a stream that is not over.
func (c *Check) Broken() Faults {
	f := c.f
	f.Lost = c.next - c.count
	return f
}
