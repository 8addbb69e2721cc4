package tokenizer

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	cacheBits  = 15 // pieces of up to 15 bytes: 512 KB
	cache2Bits = 11 // pieces of 16 to 31 bytes: 64 KB
	validBits  = 14 // pairs of tokens: 128 KB
)

// worker is what one count in progress writes to: caches, which outlive it,
// and scratch. Nothing in it is shared, so counting takes no lock.
type worker struct {
	cache  [1 << cacheBits]key // count in bits 60-63 of hi
	cache2 [1 << cache2Bits]longKey
	valid  [1 << validBits]uint64 // left, right, and the answer in bit 0
	stack  []uint32
	dead   []uint64
	steps  int // of the linear algorithm, for its test
	tail   [tailSize]byte
	text   []byte // a text with its ill-formed bytes replaced
}

// workerList keeps idle workers. A fixed array rather than a sync.Pool alone,
// so that garbage collections do not cool the caches; the pool takes what
// exceeds it when more goroutines count than there are processors.
type workerList struct {
	slots []atomic.Pointer[worker]
	pool  sync.Pool
}

// maxIdle bounds the memory of idle workers: 0.72 MB each.
const maxIdle = 16

func (l *workerList) init() {
	l.slots = make([]atomic.Pointer[worker], min(runtime.GOMAXPROCS(0), maxIdle))
	l.pool.New = func() any { return new(worker) }
}

func (l *workerList) acquire() *worker {
	for i := range l.slots {
		if l.slots[i].Load() != nil {
			if w := l.slots[i].Swap(nil); w != nil {
				return w
			}
		}
	}
	return l.pool.Get().(*worker)
}

// scratchMax is how much scratch an idle worker may keep; a request of many
// megabytes must not pin them.
const scratchMax = 1 << 20

func (l *workerList) release(w *worker) {
	if cap(w.text) > scratchMax {
		w.text = nil
	}
	if cap(w.stack) > scratchMax/4 {
		w.stack, w.dead = nil, nil
	}
	for i := range l.slots {
		if l.slots[i].Load() == nil && l.slots[i].CompareAndSwap(nil, w) {
			return
		}
	}
	l.pool.Put(w)
}
