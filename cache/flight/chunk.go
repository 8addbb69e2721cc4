package flight

import "sync"

// chunk is a part of the tape. What has been written is never written again, so
// it is read without the flight's lock.
type chunk struct {
	start int64 // where it begins in the answer
	data  []byte
	ends  []uint32 // of its pieces
	kinds []Kind
	next  *chunk

	counted bool // in the set's budget

	only struct { // the piece of a chunk that has one
		ends  [1]uint32
		kinds [1]Kind
	}
}

const (
	smallest = 4 << 10
	largest  = 64 << 10

	// typical is the size of a small event.
	typical = 64
)

// classes are the sizes of chunks that are used again, each twice the one before.
const classes = 5

// chunks holds *chunk of smallest bytes, of twice as many, and so on, that are empty.
var chunks [classes]sync.Pool

// classOf is the class of the least chunk that has room for n bytes; classes if none
// has.
func classOf(n int) (class int) {
	for size := smallest; size < n && class < classes; size *= 2 {
		class++
	}
	return class
}

// newChunk returns one for the tape from start on, of which piece is next. Most
// answers are short: chunks grow with their tape.
func newChunk(start int64, piece int) *chunk {
	class := classOf(piece)
	for class < classes-1 && int64(smallest)<<(class+1) <= start {
		class++
	}
	size := piece
	if class < classes {
		if c, ok := chunks[class].Get().(*chunk); ok {
			c.start = start
			return c
		}
		size = smallest << class
	}
	n := size/typical + 1
	return &chunk{start: start, data: make([]byte, 0, size), ends: make([]uint32, 0, n), kinds: make([]Kind, 0, n)}
}

// recycle gives the chunk to another tape. Nobody may have read it.
func (c *chunk) recycle() {
	if class := classOf(cap(c.data)); class < classes && cap(c.data) == smallest<<class && len(c.ends) > 0 && &c.ends[0] != &c.only.ends[0] {
		c.data, c.ends, c.kinds, c.next, c.counted = c.data[:0], c.ends[:0], c.kinds[:0], nil, false
		chunks[class].Put(c)
	}
}

// ofOne is a chunk that is piece itself, no copy of it.
func ofOne(start int64, piece []byte, kind Kind) *chunk {
	c := &chunk{start: start, data: piece[:len(piece):len(piece)]}
	c.only.ends[0], c.only.kinds[0] = uint32(len(piece)), kind //nolint:gosec // no longer than one answer
	c.ends, c.kinds = c.only.ends[:], c.only.kinds[:]
	return c
}

func (c *chunk) fits(n int) bool {
	return len(c.data)+n <= cap(c.data) && len(c.ends) < cap(c.ends)
}

func (c *chunk) append(piece []byte, kind Kind) {
	c.data = append(c.data, piece...)
	c.ends = append(c.ends, uint32(len(c.data))) //nolint:gosec // no longer than one answer's piece, or largest
	c.kinds = append(c.kinds, kind)
}

// cost is the chunk's memory.
func (c *chunk) cost() int64 { return int64(cap(c.data) + cap(c.ends)*5) }

// run returns the pieces from piece i on that follow each other and that are for
// a reader, and the number of the next to look at. own says that it is the
// leader's, last that they are the piece of that kind.
func (c *chunk) run(i int, own bool) (data []byte, last bool, next int) {
	theirs := func(i int) bool { return c.kinds[i] == 0 || c.kinds[i] == Last || own && c.kinds[i] == Own }
	for i < len(c.ends) && !theirs(i) {
		i++
	}
	from := uint32(0)
	if i > 0 {
		from = c.ends[i-1]
	}
	to := from
	for i < len(c.ends) && theirs(i) {
		if last = c.kinds[i] == Last; last && to > from {
			return c.data[from:to], false, i
		}
		to = c.ends[i]
		if i++; last {
			break
		}
	}
	return c.data[from:to], last, i
}
