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
	read       bool // by whomever, once
	wake       chan struct{}
	done       bool
	err        error
	result     any
	closed     bool // to those who would join
	leaderless bool
}

// Followed reports whether somebody follows.
func (f *Flight) Followed() bool { return f.followers.Load() > 0 }

// Open says what is about to be shown, in a head that nobody changes any more. It is
// the leader's.
func (f *Flight) Open(head *Head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head = head
	f.wakeLocked()
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
			f.recycleLocked()
		}
		return true
	})
}

// recycleLocked gives the tape's memory to others, if nobody has ever read it. The
// flight is done.
func (f *Flight) recycleLocked() {
	c := f.first
	if f.read {
		return
	}
	for f.first, f.last = nil, nil; c != nil; {
		next := c.next
		c.recycle()
		c = next
	}
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

// Hold counts somebody as one who follows, without reading, until release; ok is
// false when the call is over.
func (f *Flight) Hold() (release func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return nil, false
	}
	f.followers.Add(1)
	return (&Reader{f: f}).Leave, true
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
