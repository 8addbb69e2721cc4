package flight

import (
	"errors"
)

// ErrStopped is returned to a reader that is not to wait any longer.
var ErrStopped = errors.New("nobody waits any more")

// Reader plays a tape at its own pace. It belongs to one goroutine.
type Reader struct {
	f   *Flight
	own bool

	// piece is the next to read of at; at is nil before there is one. Both, and
	// lost, are guarded by the flight's lock.
	at    *chunk
	piece int
	lost  bool

	left bool
}

// join enters a follower; nil if nobody can join any more.
func (f *Flight) join() *Reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.done || f.stuck() {
		return nil
	}
	r := &Reader{f: f, at: f.first}
	f.enterLocked(r)
	f.followers.Add(1)
	return r
}

func (f *Flight) enterLocked(r *Reader) {
	if f.readers == nil { // few calls have any
		f.readers = make(map[*Reader]struct{})
	}
	f.readers[r], f.read = struct{}{}, true
}

// Play begins to play for the leader's own client what is put on the tape from
// now on. It is the leader's.
func (f *Flight) Play() *Reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &Reader{f: f, own: true, at: f.last}
	if r.at != nil {
		r.piece = len(r.at.ends)
	}
	f.enterLocked(r)
	return r
}

// Same reports whether the flight's answer has the form that is wanted.
func (r *Reader) Same(want Want) bool { return r.f.want == want }

// Form is the form of the flight's answer.
func (r *Reader) Form() Want { return r.f.want }

// Opened waits until something is about to be shown. The error says why nothing
// will be: the leader's, [ErrAlone], or [ErrStopped] when done is closed first.
func (r *Reader) Opened(done <-chan struct{}) (*Head, error) {
	for {
		f := r.f
		f.mu.Lock()
		head, err := f.head, error(nil)
		if head == nil && f.done {
			err = f.endLocked()
		}
		wake := f.waitLocked(head == nil && err == nil)
		f.mu.Unlock()
		if wake == nil {
			return head, err
		}
		if err := r.wait(wake, done); err != nil {
			return nil, err
		}
	}
}

// Part is what is read of a tape at once: whole pieces.
type Part struct {
	// Data must not be changed.
	Data []byte

	// Last says that it is the piece of that kind, More that there is yet more
	// to be read at once.
	Last, More bool
}

func (p *Part) empty() bool { return len(p.Data) == 0 && !p.Last }

// Next returns what comes next, and waits for it if there is nothing. It ends with
// io.EOF when all has been read, with the leader's error, [ErrBehind] or
// [ErrStopped].
func (r *Reader) Next(done <-chan struct{}) (p Part, err error) {
	for {
		f := r.f
		f.mu.Lock()
		p = r.readLocked()
		switch {
		case r.lost:
			err = ErrBehind
		case p.empty() && f.done:
			err = f.endLocked()
		}
		wake := f.waitLocked(p.empty() && err == nil)
		f.mu.Unlock()
		if wake == nil {
			return p, err
		}
		if err := r.wait(wake, done); err != nil {
			return Part{}, err
		}
	}
}

func (r *Reader) readLocked() (p Part) {
	for r.at != nil && p.empty() {
		p.Data, p.Last, r.piece = r.at.run(r.piece, r.own)
		if r.piece < len(r.at.ends) || r.at.next == nil {
			break
		}
		r.at, r.piece = r.at.next, 0
	}
	p.More = r.at != nil && r.piece < len(r.at.ends)
	return p
}

// waitLocked returns what is closed when there is something new; nil unless
// wanted.
func (f *Flight) waitLocked(wanted bool) <-chan struct{} {
	if !wanted {
		return nil
	}
	if f.wake == nil {
		f.wake = make(chan struct{})
	}
	return f.wake
}

func (r *Reader) wait(wake, done <-chan struct{}) error {
	select {
	case <-wake:
		return nil
	case <-done:
		return ErrStopped
	}
}

// Wait waits for the end; the error is [ErrStopped] when done is closed before.
func (r *Reader) Wait(done <-chan struct{}) error {
	for {
		f := r.f
		f.mu.Lock()
		wake := f.waitLocked(!f.done)
		f.mu.Unlock()
		if wake == nil {
			return nil
		}
		if err := r.wait(wake, done); err != nil {
			return err
		}
	}
}

// Whole waits for the end and returns all of the answer, in the flight's form;
// ok is false when its beginning is gone.
func (r *Reader) Whole(done <-chan struct{}) (body []byte, ok bool, err error) {
	if err := r.Wait(done); err != nil {
		return nil, false, err
	}
	r.f.mu.Lock()
	err = r.f.err
	r.f.mu.Unlock()
	if err != nil {
		return nil, false, err
	}
	body, ok = r.f.Body()
	return body, ok, nil
}

// Result is what the leader has said of the whole answer; nil before its end.
func (r *Reader) Result() any {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.result
}

// Leave ends the reading. When nobody is left, not even the leader's client, the
// call is cancelled. Later calls do nothing.
func (r *Reader) Leave() {
	if r.left {
		return
	}
	r.left = true
	f := r.f
	var orphaned bool
	f.closing(func() bool {
		delete(f.readers, r)
		r.at = nil
		if f.done && len(f.readers) == 0 {
			f.releaseAllLocked()
		}
		if !r.own {
			orphaned = f.followers.Add(-1) == 0 && f.leaderless && !f.done
		}
		return orphaned
	})
	if orphaned && f.cancel != nil {
		f.cancel()
	}
}
