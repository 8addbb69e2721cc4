package semantic

import "github.com/weirproxy/weir/cache"

// name is what a row is found by.
type name struct {
	partition Partition
	key       cache.Key
}

// slot is a row's place in the ring.
type slot struct {
	name       name
	row        int32
	prev, next int32
}

// ring orders all rows by age for the second-chance rule: whoever goes next is
// the oldest row that was not used since it was last the oldest. A look-up then
// has to set one flag only, and takes no lock for it.
type ring struct {
	slots []slot // the first one is the anchor
	free  []int32
	rows  map[name]int32
}

func (r *ring) reset() {
	r.slots = []slot{{}}
	r.free = nil
	r.rows = map[name]int32{}
}

// add makes the youngest place and returns it.
func (r *ring) add(n name) int32 {
	var at int32
	if last := len(r.free) - 1; last >= 0 {
		at, r.free = r.free[last], r.free[:last]
	} else {
		at = int32(len(r.slots))
		r.slots = append(r.slots, slot{})
	}
	r.slots[at] = slot{name: n}
	r.link(at)
	r.rows[n] = at
	return at
}

func (r *ring) link(at int32) {
	last := r.slots[0].prev
	r.slots[at].prev, r.slots[at].next = last, 0
	r.slots[last].next, r.slots[0].prev = at, at
}

func (r *ring) unlink(at int32) {
	s := &r.slots[at]
	r.slots[s.prev].next, r.slots[s.next].prev = s.next, s.prev
}

// renew makes a place the youngest.
func (r *ring) renew(at int32) {
	r.unlink(at)
	r.link(at)
}

func (r *ring) remove(at int32) {
	r.unlink(at)
	delete(r.rows, r.slots[at].name)
	r.slots[at] = slot{}
	r.free = append(r.free, at)
}

// oldest is 0 when there is none.
func (r *ring) oldest() int32 { return r.slots[0].next }
