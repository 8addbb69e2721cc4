package semantic

// slack is what rounding may do to a bound on a similarity: a row is ruled out
// only when it is below the floor by more.
const slack = 1e-5

// scan returns the row that is the most like the query, among those that are
// alive and allowed, and its inner product with the query. Rows at or below the
// floor do not count; -1 means none.
func (p *partition) scan(q *Query, length, floor float32, now int64) (row int, best float32) {
	var left [maxStages]float32
	rests(left[:p.stages], q.Vector)
	for i := range left[:p.stages] {
		left[i] *= 1 + slack
	}
	h := p.head()
	head, tail := q.Vector[:h], q.Vector[h:]
	row, best = -1, floor
	margin := slack * length
	for n := range p.blocks {
		b := &p.blocks[n]
		heads, entries := b.heads, p.entries[n*blockRows:]
		for i := range len(heads) / h {
			sum := dot(head, heads[i*h:])
			if p.stages > 0 {
				var alive bool
				if sum, alive = p.finish(b, i, sum, tail, left[:p.stages], best-margin); !alive {
					continue
				}
			}
			if !(sum > best) {
				continue
			}
			e := &entries[i]
			if e.expires <= now || !q.Guard.allows(&q.Features, &e.features) {
				continue
			}
			row, best = n*blockRows+i, sum
		}
	}
	return row, best
}

// finish adds what is left of row i's inner product to sum, stage by stage, and
// gives up where it can no longer get over the floor.
func (p *partition) finish(b *block, i int, sum float32, tail, left []float32, floor float32) (float32, bool) {
	bound := b.rests[i*p.stages:][:len(left)]
	if sum+left[0]*bound[0] < floor {
		return sum, false
	}
	t := len(tail)
	other := b.tails[i*t:][:t]
	for s, start := 0, 0; start < t; s++ {
		if s > 0 && sum+left[s]*bound[s] < floor {
			return sum, false
		}
		end := min(t, 2*start+headDims)
		sum += dot(tail[start:end], other[start:])
		start = end
	}
	return sum, true
}
