package semantic

import (
	"sync"
	"sync/atomic"

	"github.com/weirproxy/weir/cache"
)

// blockRows is how many rows one block has: growing copies one block at most.
const blockRows = 256

// block holds the vectors of rows, each of which has its first dimensions in
// heads, the others in tails, and the lengths that bound the others in rests.
type block struct {
	heads, tails, rests []float32
}

// entry is a row without its vector.
type entry struct {
	key      cache.Key
	features Features
	expires  int64 // Unix nanoseconds
	slot     int32
}

// partition holds the rows that may answer one another. Rows are without gaps:
// the last one takes the place of one that goes.
type partition struct {
	mu      sync.RWMutex
	dims    int
	stages  int
	blocks  []block
	entries []entry
	used    []atomic.Bool // by row: looked up since the hand came by
	hand    int           // the row that may be evicted next
	broom   int           // the row that is swept next
}

func newPartition(dims int) *partition {
	return &partition{dims: dims, stages: stages(dims)}
}

func (p *partition) head() int { return min(p.dims, headDims) }

// put writes a row of unit length at i, which is a row or the place after the
// last one.
func (p *partition) put(i int, e entry, unit []float32) {
	h := p.head()
	if i == len(p.entries) {
		if i%blockRows == 0 {
			p.blocks = append(p.blocks, block{})
		}
		b := &p.blocks[i/blockRows]
		b.heads = append(b.heads, unit[:h]...)
		b.tails = append(b.tails, unit[h:]...)
		for range p.stages {
			b.rests = append(b.rests, 0)
		}
		p.entries = append(p.entries, entry{})
		p.grow()
	} else {
		b, at := &p.blocks[i/blockRows], i%blockRows
		copy(b.heads[at*h:], unit[:h])
		copy(b.tails[at*(p.dims-h):], unit[h:])
	}
	b, at := &p.blocks[i/blockRows], i%blockRows
	rests(b.rests[at*p.stages:(at+1)*p.stages], unit)
	p.entries[i] = e
}

// grow makes used as long as entries. Atomics cannot be copied by append.
func (p *partition) grow() {
	if len(p.entries) <= len(p.used) {
		p.used[len(p.entries)-1].Store(false)
		return
	}
	grown := make([]atomic.Bool, 2*len(p.entries))
	for i := range p.used {
		grown[i].Store(p.used[i].Load())
	}
	p.used = grown
}

// drop removes row i. It returns the slot of the row that took its place, or -1.
func (p *partition) drop(i int) (moved int32) {
	last := len(p.entries) - 1
	h, t := p.head(), p.dims-p.head()
	from, to := &p.blocks[last/blockRows], &p.blocks[i/blockRows]
	f, at := last%blockRows, i%blockRows
	moved = -1
	if i != last {
		copy(to.heads[at*h:(at+1)*h], from.heads[f*h:])
		copy(to.tails[at*t:(at+1)*t], from.tails[f*t:])
		copy(to.rests[at*p.stages:(at+1)*p.stages], from.rests[f*p.stages:])
		p.entries[i] = p.entries[last]
		p.used[i].Store(p.used[last].Load())
		moved = p.entries[i].slot
	}
	from.heads, from.tails, from.rests = from.heads[:f*h], from.tails[:f*t], from.rests[:f*p.stages]
	if f == 0 {
		p.blocks[last/blockRows] = block{}
		p.blocks = p.blocks[:last/blockRows]
	}
	p.entries[last] = entry{}
	p.entries = p.entries[:last]
	return moved
}
