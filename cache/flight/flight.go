// Package flight lets identical requests share one call: the first one leads and
// makes it, the others follow, each at its own pace. Who comes late gets at once
// what has been shown so far, and then what comes.
//
// The leader goes on exactly as if it were alone. What it shows its client it
// also puts on the flight's tape; only when somebody follows, its own client is
// written to by another goroutine, so that a slow one slows nobody.
package flight

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/wire"
)

// Want is the form in which a client wants an answer. See [cache.Form].
type Want struct {
	Operation *wire.Operation
	Stream    bool
	Usage     bool

	// Spelling is what else decides about the very bytes, see [form.Spelling].
	Spelling string
}

// Kind says whom a piece of an answer is for. The zero value is for everybody.
type Kind uint8

// The kinds of pieces.
const (
	// Hidden pieces belong to the answer, but no client of this form gets them.
	Hidden Kind = iota + 1

	// Own pieces are for the leader's client alone.
	Own

	// Last is the piece with which a stream ends, for everybody. It is read by
	// itself.
	Last
)

// Head is what followers learn of an answer that is about to be shown, those at
// other instances as JSON.
type Head struct {
	Provider string `json:"p"`
	Model    string `json:"m"`
	Attempts int    `json:"a"`
}

// Why a follower gets no more.
var (
	// ErrAlone: there will be nothing to follow, and nothing has been shown.
	ErrAlone = errors.New("the call is not shared any longer")

	// ErrBehind: the follower was so slow that what it needs is gone.
	ErrBehind = errors.New("too far behind the answer that is shared")
)

// Flight is a call that is shared. Its methods are safe for concurrent use, but
// those that say so are the leader's.
type Flight struct {
	set   *Set
	key   cache.Key
	since cache.Stamp
	want  Want

	// cancel ends the call when nobody waits for it any more.
	cancel func()

	// followers counts those who follow; writing is when the leader began the
	// write to its own client that is under way, 0 for none.
	followers atomic.Int32
	writing   atomic.Int64

	mu         sync.Mutex
	head       *Head
	first      *chunk // of the tape; nil before there is one, and when it is gone
	last       *chunk
	oldest     *chunk // of those that count in the set's budget
	size       int64  // of the tape so far
	readers    map[*Reader]struct{}
	wake       chan struct{}
	done       bool
	err        error
	result     any
	closed     bool // to those who would join
	leaderless bool
}

// Followed reports whether somebody follows.
func (f *Flight) Followed() bool { return f.followers.Load() > 0 }

// Open says what is about to be shown. It is the leader's.
func (f *Flight) Open(head Head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head = &head
	f.wakeLocked()
}

// Append puts a piece of the answer, whole events of a stream, on the tape. It is
// the leader's.
func (f *Flight) Append(piece []byte, kind Kind) { f.put(piece, kind, false) }

// Put is Append for a piece that nobody changes any more: it is not copied. It is
// the leader's.
func (f *Flight) Put(piece []byte, kind Kind) { f.put(piece, kind, true) }

func (f *Flight) put(piece []byte, kind Kind, fixed bool) {
	if len(piece) == 0 && kind != Last {
		return
	}
	f.mu.Lock()
	open := !f.closed
	if gone := f.last == nil && f.size > 0; !f.done && (!gone || len(f.readers) > 0) {
		f.putLocked(piece, kind, fixed)
		f.wakeLocked()
	}
	closed := open && f.closed
	f.mu.Unlock()
	if closed {
		f.set.forget(f)
	}
}

func (f *Flight) putLocked(piece []byte, kind Kind, fixed bool) {
	start := f.size
	f.size += int64(len(piece))
	switch {
	case fixed:
		f.addLocked(ofOne(start, piece, kind))
	case f.last != nil && f.last.fits(len(piece)):
		f.last.append(piece, kind)
	default:
		c := newChunk(start, max(len(piece), min(max(int(start), smallest), largest)))
		c.append(piece, kind)
		f.addLocked(c)
	}
}

// addLocked puts a chunk at the end of the tape, which has its size already.
func (f *Flight) addLocked(c *chunk) {
	if c.start == 0 {
		f.first, f.oldest = c, c
	}
	if f.first != nil && (f.size > f.set.limit || !f.countLocked(c)) {
		// Nobody can join any more.
		f.closed, f.first = true, nil
	}
	if f.first == nil {
		f.makeRoomLocked(c)
	}
	for r := range f.readers {
		if r.at == nil && !r.lost {
			r.at = c
		}
	}
	if f.last != nil {
		f.last.next = c
	}
	if f.last = c; f.first == nil && len(f.readers) == 0 {
		f.last = nil
	}
}

// countLocked takes the chunk's memory from the set's budget, if it is there.
func (f *Flight) countLocked(c *chunk) bool {
	if !c.counted && f.set.take(c.cost()) {
		c.counted = true
	}
	return c.counted
}

// makeRoomLocked is for a tape whose beginning is gone, before c is put behind it.
// What everybody has read goes, and so does who is behind by more than a tape may
// be long, or than there is room for.
func (f *Flight) makeRoomLocked(c *chunk) {
	for {
		slowest := c.start
		for r := range f.readers {
			if r.at != nil {
				slowest = min(slowest, r.at.start)
			}
		}
		for f.oldest != nil && f.oldest != c && f.oldest.start < slowest {
			f.oldest = f.releaseLocked(f.oldest)
		}
		if len(f.readers) == 0 {
			f.oldest = f.releaseLocked(c)
			return
		}
		if f.oldest == nil {
			f.oldest = c
		}
		if f.size-slowest <= f.set.limit+largest && f.countLocked(c) {
			return
		}
		if slowest == c.start || f.last != nil && slowest == f.last.start {
			return // nobody is behind
		}
		for r := range f.readers {
			if r.at != nil && r.at.start == slowest {
				r.lost, r.at = true, nil
			}
		}
	}
}

// releaseLocked gives the chunk's memory back, and returns the next one.
func (f *Flight) releaseLocked(c *chunk) *chunk {
	if c.counted {
		c.counted = false
		f.set.give(c.cost())
	}
	return c.next
}

// releaseAllLocked ends the counting, when nobody reads any more.
func (f *Flight) releaseAllLocked() {
	for f.oldest != nil {
		f.oldest = f.releaseLocked(f.oldest)
	}
}

// Body returns all that has been shown and Hidden, in one piece; ok is false if
// its beginning is gone.
func (f *Flight) Body() (body []byte, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		return nil, false
	}
	body = make([]byte, 0, f.size)
	for c := f.first; c != nil; c = c.next {
		from := 0
		for i, end := range c.ends {
			if c.kinds[i] != Own {
				body = append(body, c.data[from:end]...)
			}
			from = int(end)
		}
	}
	return body, true
}

// Finish ends the flight: err is why, nil when all has been shown; result is for
// followers who ask. It is the leader's, and only the first call counts.
func (f *Flight) Finish(err error, result any) {
	f.closing(func() bool {
		if !f.done {
			f.done, f.err, f.result = true, err, result
			if f.wakeLocked(); len(f.readers) == 0 {
				f.releaseAllLocked()
			}
		}
		return true
	})
}

// Close lets nobody join any more: who comes now finds the answer elsewhere, or
// is not to have it.
func (f *Flight) Close() { f.closing(func() bool { return true }) }

// closing runs change, and closes the flight if that says so. The set's lock is
// taken before a flight's, never with it.
func (f *Flight) closing(change func() bool) {
	f.mu.Lock()
	closed := change() && !f.closed
	f.closed = f.closed || closed
	f.mu.Unlock()
	if closed {
		f.set.forget(f)
	}
}

// Disperse sends everybody away who follows, before anything has been shown: the
// call has become the leader's alone. It is the leader's.
func (f *Flight) Disperse() { f.Finish(ErrAlone, nil) }

// LeaderLeaves says that the leader's client has gone. If true, others follow,
// and the call goes on for them; it is cancelled when the last one leaves.
func (f *Flight) LeaderLeaves() bool {
	var goesOn bool
	f.closing(func() bool {
		f.leaderless = f.Followed() && !f.done
		goesOn = f.leaderless
		return !goesOn
	})
	return goesOn
}

// Writing notes when the leader begins to write to its own client, and the zero
// time that it is done.
func (f *Flight) Writing(since time.Time) {
	if since.IsZero() {
		f.writing.Store(0)
		return
	}
	f.writing.Store(since.UnixNano())
}

// stuck reports whether the leader has been writing for so long that nobody
// should wait for it.
func (f *Flight) stuck() bool {
	since := f.writing.Load()
	return since != 0 && f.set.now().UnixNano()-since > int64(stuckAfter)
}

// stuckAfter is how long a write to a client's socket may take that is not stuck.
const stuckAfter = 50 * time.Millisecond

func (f *Flight) wakeLocked() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// endLocked is the error that follows the last piece.
func (f *Flight) endLocked() error {
	if f.err != nil {
		return f.err
	}
	return io.EOF
}
