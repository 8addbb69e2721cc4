package replay

import (
	"sync"
	"time"
)

// Tape keeps the last part of one stream. Append, Force and End are the
// producer's.
type Tape struct {
	shelf   *Shelf
	options Options
	key     string // the shelf's mutex guards it

	// room is signalled when a client has got on.
	room chan struct{}

	mu     sync.Mutex
	chunks []*chunk
	held   int64  // memory of chunks
	last   uint64 // number of the last event
	size   int64  // bytes of all events so far

	// client is who is there, nil if nobody is. read is up to where the stream has
	// been written to it, or was to the last one, in bytes.
	client *Client
	read   int64

	// off says that nobody can come back any more.
	off, ended, complete bool

	timer *time.Timer
	until time.Time // when it is over
}

// Append adds an event and reports whether there was room for it. A client that
// the producer writes to itself takes no room: the oldest events make place.
func (t *Tape) Append(event []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.append(event, false)
}

// Force adds an event whether there is room or not.
func (t *Tape) Force(event []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.append(event, true)
}

func (t *Tape) append(event []byte, force bool) bool {
	needed := t.needed()
	if n := len(t.chunks); needed && (n == 0 || !t.chunks[n-1].fits(len(event))) && !t.grow(len(event), force) {
		return false
	}
	t.last++
	t.size += int64(len(event))
	if needed {
		t.chunks[len(t.chunks)-1].append(event)
	}
	switch c := t.client; {
	case c == nil:
	case c.direct:
		t.read = t.size
	default:
		signal(c.wake)
	}
	return true
}

// Room is signalled when it is worth trying to append again.
func (t *Tape) Room() <-chan struct{} { return t.room }

// grow adds a chunk for an event of n bytes, and lets old ones go for it.
func (t *Tape) grow(n int, force bool) bool {
	size := smallest
	if len(t.chunks) > 0 {
		size = 2 * cap(t.chunks[len(t.chunks)-1].data)
	}
	size = max(min(size, largest, int(t.options.Limit/8)), n)
	need := cost(size)
	for t.held+need > t.options.Limit || !t.shelf.take(need) {
		if t.forget() {
			continue
		}
		if len(t.chunks) > 0 && !force {
			return false
		}
		size = n // one event is held in any case
		need = cost(size)
		t.shelf.give(-need)
		break
	}
	t.held += need
	t.chunks = append(t.chunks, newChunk(t.last+1, t.size, size))
	return true
}

// forget lets the oldest chunk go, if that may be. What a client may have lost
// on its way is kept in half of the memory, unless there is nothing else that
// could make place.
func (t *Tape) forget() bool {
	if len(t.chunks) == 0 {
		return false
	}
	direct := t.client != nil && t.client.direct
	if !direct && t.read < t.size && t.past() <= t.options.Limit/2 || t.chunks[0].end() > t.read {
		return false
	}
	t.drop()
	return true
}

// past is the memory of what has been read.
func (t *Tape) past() (n int64) {
	for _, c := range t.chunks {
		if c.end() > t.read {
			break
		}
		n += c.cost()
	}
	return n
}

func (t *Tape) drop() {
	n := t.chunks[0].cost()
	t.chunks[0] = nil
	t.chunks = t.chunks[1:]
	t.held -= n
	t.shelf.give(n)
}

// End says that the stream is over; complete says that nothing of it is missing.
// A client that the producer has written to is done with; the tape waits for it
// to come back.
func (t *Tape) End(complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended, t.complete = true, complete
	if c := t.client; c != nil {
		if c.direct {
			t.client = nil
		} else {
			signal(c.wake)
		}
		t.wait()
	}
	if t.off {
		t.release()
		return
	}
	if n := len(t.chunks); n > 0 {
		tail := t.chunks[n-1].shrunk()
		saved := t.chunks[n-1].cost() - tail.cost()
		t.chunks[n-1] = tail
		t.held -= saved
		t.shelf.give(saved)
	}
}

// Discard ends a tape that no client has been told of.
func (t *Tape) Discard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.off, t.ended, t.client = true, true, nil
	t.release()
}

// wait starts the time that the tape waits for a client.
func (t *Tape) wait() {
	t.until = time.Now().Add(t.options.Keep)
	if t.timer == nil {
		t.timer = time.AfterFunc(t.options.Keep, t.expire)
	} else {
		t.timer.Reset(t.options.Keep)
	}
}

// expire runs when the time may be over: a client may have been there since the
// timer fired, and have left again.
func (t *Tape) expire() {
	t.mu.Lock()
	over := (t.client == nil || t.ended) && !time.Now().Before(t.until)
	t.mu.Unlock()
	if over {
		t.shelf.remove(t)
		t.withdraw()
	}
}

// withdraw makes the tape one that nobody can come back to. A client that is
// there stays.
func (t *Tape) withdraw() {
	t.mu.Lock()
	was := t.off
	t.off = true
	abandoned := !was && t.release()
	t.mu.Unlock()
	if abandoned {
		t.options.Abandon()
	}
}

// release lets go what nobody needs of a tape that nobody can come back to, and
// reports whether it is to be abandoned.
func (t *Tape) release() (abandoned bool) {
	if t.needed() {
		return false
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	for len(t.chunks) > 0 {
		t.drop()
	}
	return t.client == nil && !t.ended
}

// needed reports whether somebody may read what is kept.
func (t *Tape) needed() bool {
	return !t.off || t.client != nil && !t.client.direct
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
