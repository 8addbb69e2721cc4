package handlers

import (
	"sync"

	"github.com/weirproxy/weir/internal/sse"
)

// together gathers events that have arrived together, so that they go to the
// client together: in one write, and one packet. Those that pass as they came
// lie side by side in the reader's buffer and are not copied.
type together struct {
	run    []byte  // the last events, in the reader's buffer
	copied *[]byte // what comes before them; nil for nothing
}

// maxTogether is how much is gathered at most.
const maxTogether = 16 << 10

// batches holds the buffers of what is copied. A stream has one only while
// something waits in it.
var batches = sync.Pool{New: func() any { return new([]byte) }}

// pass takes along the event that reader has delivered last, as it came.
func (t *together) pass(reader *sse.Reader, ev *sse.Event) {
	t.run = reader.Passed(len(t.run) + len(ev.Raw))
}

// copy takes along events that lie elsewhere, or whose place is about to be used
// for others.
func (t *together) copy(events []byte) {
	if len(t.run) == 0 && len(events) == 0 {
		return
	}
	if t.copied == nil {
		t.copied = batches.Get().(*[]byte)
	}
	*t.copied = append(append(*t.copied, t.run...), events...)
	t.run = nil
}

func (t *together) len() int {
	if t.copied == nil {
		return len(t.run)
	}
	return len(*t.copied) + len(t.run)
}

// take returns what has been gathered, valid until the reader reads on or drop.
func (t *together) take() []byte {
	if t.copied == nil {
		return t.run
	}
	t.copy(nil)
	return *t.copied
}

// drop forgets what has been gathered.
func (t *together) drop() {
	if t.run = nil; t.copied == nil {
		return
	}
	if cap(*t.copied) <= 2*maxTogether {
		*t.copied = (*t.copied)[:0]
		batches.Put(t.copied)
	}
	t.copied = nil
}
