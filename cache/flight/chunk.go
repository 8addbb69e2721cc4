package flight

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

// The sizes of chunks grow with their tape: most answers are short.
const (
	smallest = 4 << 10
	largest  = 64 << 10

	// typical is the size of a small event.
	typical = 64
)

func newChunk(start int64, size int) *chunk {
	n := size/typical + 1
	return &chunk{start: start, data: make([]byte, 0, size), ends: make([]uint32, 0, n), kinds: make([]Kind, 0, n)}
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
