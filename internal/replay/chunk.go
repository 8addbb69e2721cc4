package replay

import "sort"

// chunk is a part of a tape: whole events, one behind the other. What has been
// written is never written again, so it can be read without the tape's lock and
// without a copy, also when the tape has let the chunk go.
type chunk struct {
	first uint64 // number of the first event
	at    int64  // where it begins in the stream, in bytes
	data  []byte
	ends  []uint32 // of the events in data
}

// The sizes of chunks grow with their tape: most answers are short.
const (
	smallest = 4 << 10
	largest  = 64 << 10

	// typical is the size of a small event: a chunk has room for the ends of
	// as many.
	typical = 64
	endSize = 4
)

func newChunk(first uint64, at int64, size int) *chunk {
	return &chunk{first: first, at: at, data: make([]byte, 0, size), ends: make([]uint32, 0, size/typical+1)}
}

// cost is the memory of a chunk for size bytes.
func cost(size int) int64 { return int64(size + (size/typical+1)*endSize) }

func (c *chunk) cost() int64 { return int64(cap(c.data) + cap(c.ends)*endSize) }

func (c *chunk) fits(n int) bool {
	return len(c.data)+n <= cap(c.data) && len(c.ends) < cap(c.ends)
}

func (c *chunk) append(event []byte) {
	c.data = append(c.data, event...)
	c.ends = append(c.ends, uint32(len(c.data))) //nolint:gosec // a chunk is no larger than one event, or than largest
}

// after is the number that follows the last event's, and end where that ends
// in the stream.
func (c *chunk) after() uint64 { return c.first + uint64(len(c.ends)) }
func (c *chunk) end() int64    { return c.at + int64(len(c.data)) }

// from returns the events from number on.
func (c *chunk) from(number uint64) []byte {
	if number == c.first {
		return c.data
	}
	return c.data[c.ends[number-c.first-1]:]
}

// shrunk is the chunk without the memory that it has no use for.
func (c *chunk) shrunk() *chunk {
	s := &chunk{first: c.first, at: c.at, data: make([]byte, len(c.data)), ends: make([]uint32, len(c.ends))}
	copy(s.data, c.data)
	copy(s.ends, c.ends)
	return s
}

// holding returns the chunk that holds an event, nil if none does.
func holding(chunks []*chunk, number uint64) *chunk {
	i := sort.Search(len(chunks), func(i int) bool { return chunks[i].after() > number })
	if i == len(chunks) || chunks[i].first > number {
		return nil
	}
	return chunks[i]
}
