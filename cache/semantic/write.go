package semantic

import (
	"math"

	"github.com/weirproxy/weir/cache"
)

// Add keeps a row. Where there are as many as there may be, another one goes:
// of the same partition if that is full, else the oldest of all that was not
// used lately. A row that has expired already is not kept.
func (x *Index) Add(at Partition, row Row) error {
	if norm(row.Vector) == 0 || len(row.Vector) > MaxDims {
		return ErrVector
	}
	now := x.options.Now().UnixNano()
	e := entry{key: row.Key, features: row.Features, expires: row.Expires.UnixNano()}
	x.writing.Lock()
	defer x.writing.Unlock()
	p := x.partition(&at)
	if p != nil {
		x.sweep(p, now, p.dims != len(row.Vector))
		p = x.partition(&at)
	}
	if p != nil && p.dims != len(row.Vector) {
		return ErrDimensions
	}
	n := name{at, row.Key}
	if e.expires <= now {
		x.remove(n)
		return nil
	}
	vector := unit(x.scratch[:0], row.Vector)
	x.scratch = vector
	if slot, ok := x.ring.rows[n]; ok {
		e.slot = slot
		x.ring.renew(slot)
		p.mu.Lock()
		p.put(int(x.ring.slots[slot].row), e, vector)
		p.mu.Unlock()
		return nil
	}
	if p != nil && len(p.entries) >= x.options.PerPartition {
		x.evictFrom(p, now)
	}
	for len(x.ring.rows) >= x.options.Entries {
		x.evict(now)
	}
	// The last row of a partition takes it along.
	if p = x.partition(&at); p == nil {
		p = newPartition(len(row.Vector))
		s := x.shard(&at)
		s.mu.Lock()
		s.table[at] = p
		s.mu.Unlock()
	}
	e.slot = x.ring.add(n)
	x.ring.slots[e.slot].row = int32(len(p.entries))
	p.mu.Lock()
	p.put(len(p.entries), e, vector)
	p.mu.Unlock()
	return nil
}

// Resize changes how many rows there are at most. Those that are too many go as
// if others had taken their places.
func (x *Index) Resize(entries int) {
	if entries <= 0 {
		return
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	x.options.Entries = min(entries, math.MaxInt32-1)
	if x.equal || x.options.PerPartition > x.options.Entries {
		x.options.PerPartition = x.options.Entries
	}
	for now := x.options.Now().UnixNano(); len(x.ring.rows) > x.options.Entries; {
		x.evict(now)
	}
}

// Remove forgets a row, as of an answer that turned out to be gone.
func (x *Index) Remove(at Partition, key cache.Key) {
	x.writing.Lock()
	defer x.writing.Unlock()
	x.remove(name{at, key})
}

// Rows is how many rows there are.
func (x *Index) Rows() int {
	x.writing.Lock()
	defer x.writing.Unlock()
	return len(x.ring.rows)
}

func (x *Index) remove(n name) {
	at, ok := x.ring.rows[n]
	if !ok {
		return
	}
	p := x.partition(&n.partition)
	row := x.ring.slots[at].row
	p.mu.Lock()
	moved := p.drop(int(row))
	empty := len(p.entries) == 0
	p.mu.Unlock()
	if moved >= 0 {
		x.ring.slots[moved].row = row
	}
	x.ring.remove(at)
	if empty {
		s := x.shard(&n.partition)
		s.mu.Lock()
		delete(s.table, n.partition)
		s.mu.Unlock()
	}
}

// swept is how many rows an Add looks at for such as have expired.
const swept = 8

// sweep removes expired rows of p: all of them, or those among the next few.
func (x *Index) sweep(p *partition, now int64, all bool) {
	looks := min(swept, len(p.entries))
	if all {
		looks = len(p.entries)
	}
	for range looks {
		p.broom %= len(p.entries)
		if e := &p.entries[p.broom]; e.expires <= now {
			// The row that takes its place is looked at next.
			if x.remove(x.ring.slots[e.slot].name); len(p.entries) == 0 {
				return
			}
			continue
		}
		p.broom++
	}
}

// evict removes the oldest row that has expired or was not used since it was
// last looked at here. One that was used becomes the youngest.
func (x *Index) evict(now int64) {
	for {
		at := x.ring.oldest()
		s := &x.ring.slots[at]
		p := x.partition(&s.name.partition)
		// Rows move only in writers, of which this is the only one.
		if p.entries[s.row].expires > now && p.used[s.row].Swap(false) {
			x.ring.renew(at)
			continue
		}
		x.remove(s.name)
		return
	}
}

// evictFrom removes a row of p that has expired or was not used since it was
// last looked at here. The last row, which is the youngest, stays.
func (x *Index) evictFrom(p *partition, now int64) {
	n := max(len(p.entries)-1, 1)
	for range n {
		p.hand %= n
		if p.entries[p.hand].expires <= now || !p.used[p.hand].Swap(false) {
			break
		}
		p.hand++
	}
	p.hand %= n
	x.remove(x.ring.slots[p.entries[p.hand].slot].name)
	// The youngest row has taken the place: it is passed over this time.
	p.hand++
}
