// Package semantic finds the answer to a request that means the same as an
// earlier one: by the vectors of the requests' texts, among the requests that
// are equal in everything else.
package semantic

import (
	"errors"
	"math"
	"sync"
	"time"

	"github.com/weirproxy/weir/cache"
)

// Partition is a digest over everything that two requests must have in common
// before their texts are compared at all: scope, model, instructions, tools,
// parameters, and which embedder made the vectors. It is no ranking feature:
// rows of other partitions are never looked at, however alike they are.
type Partition [32]byte

// MaxDims is how many dimensions a vector may have.
const MaxDims = headDims << maxStages / 2

// Errors of Add.
var (
	ErrVector     = errors.New("the vector is empty, too long, zero or not finite")
	ErrDimensions = errors.New("the vector has other dimensions than its partition")
)

// Row is a request whose answer is kept.
type Row struct {
	// Key is the answer's. A row replaces the one of its partition that has its
	// key.
	Key cache.Key

	// Vector is copied and need not have unit length.
	Vector []float32

	// Features are those of the text that the vector stands for.
	Features Features

	// Expires is from when on the row does not answer.
	Expires time.Time
}

// Query is a request that looks for an answer. The zero Guard is the strictest.
type Query struct {
	Vector   []float32
	Features Features
	Guard    Guard
}

// Hopeless reports whether no row can answer the query, whatever its vector is, nor any
// other query by this guard one with its text.
func (q *Query) Hopeless() bool { return q.Guard != GuardOff && q.Features.long }

// Match is a row that answers. Similarity is the cosine, at most 1.
type Match struct {
	Key        cache.Key
	Similarity float32
	Expires    time.Time
}

// Options bound an Index.
type Options struct {
	// Entries is how many rows there are at most, of all partitions, PerPartition
	// how many in one. Defaults: 10000, and Entries.
	Entries, PerPartition int

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// shards spread the table of partitions, so that look-ups do not meet.
const shards = 64

type shard struct {
	mu    sync.RWMutex
	table map[Partition]*partition
}

// Index holds rows in memory. Searches in different partitions share nothing
// but a read lock on a part of the table; in one partition they exclude only the
// moment in which a row is written. All methods can be called concurrently.
//
// A row takes 4 bytes a dimension, the features of its text (at most 2 KiB) and
// about 200 bytes, so Entries bounds the memory.
type Index struct {
	options Options
	equal   bool // PerPartition is Entries
	shards  [shards]shard

	// writing orders writers. It is never held while a search runs under it.
	writing sync.Mutex
	ring    ring
	scratch []float32
}

// New makes an empty index.
func New(o Options) *Index {
	if o.Entries <= 0 {
		o.Entries = 10000
	}
	o.Entries = min(o.Entries, math.MaxInt32-1)
	equal := o.PerPartition <= 0 || o.PerPartition > o.Entries
	if equal {
		o.PerPartition = o.Entries
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	x := &Index{options: o, equal: equal}
	for i := range x.shards {
		x.shards[i].table = map[Partition]*partition{}
	}
	x.ring.reset()
	return x
}

func (x *Index) shard(p *Partition) *shard { return &x.shards[p[0]%shards] }

func (x *Index) partition(p *Partition) *partition {
	s := x.shard(p)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.table[*p]
}

// Search returns the row that is the most like the query among those that are
// not below the threshold and that the guard allows.
func (x *Index) Search(p Partition, q *Query, threshold float32) (Match, bool) {
	// The scan wants more than the floor, a hit may be the threshold itself.
	return x.search(&p, q, math.Nextafter32(threshold, -2), true)
}

// Nearest returns the row that is the most like the query, however unlike it
// is, for those who want to know what a lower threshold would do. It does not
// count as a use.
func (x *Index) Nearest(p Partition, q *Query) (Match, bool) {
	return x.search(&p, q, -2, false)
}

func (x *Index) search(at *Partition, q *Query, floor float32, use bool) (Match, bool) {
	length := float32(norm(q.Vector))
	p := x.partition(at)
	// Lengths beyond these would overflow, or vanish, in the sums.
	if p == nil || !(length > 1e-12 && length < 1e12) || math.IsNaN(float64(floor)) {
		return Match{}, false
	}
	now := x.options.Now().UnixNano()
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(q.Vector) != p.dims {
		return Match{}, false
	}
	row, best := p.scan(q, length, floor*length, now)
	if row < 0 {
		return Match{}, false
	}
	if use {
		p.used[row].Store(true)
	}
	e := &p.entries[row]
	return Match{e.key, min(best/length, 1), time.Unix(0, e.expires)}, true
}
