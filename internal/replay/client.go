package replay

import (
	"errors"
	"io"
)

// Why a client cannot come back, or gets no more.
var (
	// ErrWithdrawn says that nobody can come back to the stream any more.
	ErrWithdrawn = errors.New("the stream is not kept any more")

	// ErrPast says that events that the client lacks are not kept any more.
	ErrPast = errors.New("the events are not kept any more")

	// ErrAhead says that the stream has not got as far as the client.
	ErrAhead = errors.New("the stream has no such event")

	// ErrReplaced says that another client has taken the place.
	ErrReplaced = errors.New("another client has taken the place")

	// ErrBroken says that the stream ended before it was complete.
	ErrBroken = errors.New("the stream is not complete")

	// ErrLeft says that the caller of Next does not wait any longer.
	ErrLeft = errors.New("the client has left")
)

// Client is who a tape is played to.
type Client struct {
	tape   *Tape
	direct bool
	evict  func()
	wake   chan struct{}

	// next is the number of the event that it gets next, at where that begins.
	// The tape's mutex guards them.
	next uint64
	at   int64
}

// Attach lets a client come back that has got all events up to last. Who was
// there is told with its evict.
func (t *Tape) Attach(last uint64, evict func()) (*Client, error) {
	t.mu.Lock()
	c := &Client{tape: t, evict: evict, wake: make(chan struct{}, 1), next: last + 1}
	if err := t.seat(c); err != nil {
		t.mu.Unlock()
		return nil, err
	}
	old := t.client
	t.client = c
	if t.timer != nil && !t.ended {
		t.timer.Stop()
	}
	if old != nil && !old.direct {
		signal(old.wake)
	}
	t.mu.Unlock()
	signal(t.room)
	if old != nil {
		old.evict()
	}
	return c, nil
}

// seat finds where c begins.
func (t *Tape) seat(c *Client) error {
	switch {
	case t.off:
		return ErrWithdrawn
	case c.next == 0 || c.next > t.last+1:
		return ErrAhead
	case c.next == t.last+1:
		c.at = t.size
	default:
		from := holding(t.chunks, c.next)
		if from == nil {
			return ErrPast
		}
		c.at = from.end() - int64(len(from.from(c.next)))
	}
	t.read = c.at
	return nil
}

// Next returns the events that follow, as many as are there at once, and waits
// for one if there is none. The bytes must not be written to. It ends with
// io.EOF behind a complete stream. done ends the wait.
func (c *Client) Next(done <-chan struct{}) (events []byte, err error) {
	for {
		if events, err = c.take(); len(events) > 0 || err != nil {
			return events, err
		}
		select {
		case <-c.wake:
		case <-done:
			return nil, ErrLeft
		}
	}
}

// take returns what is there. What it returned before counts as read.
func (c *Client) take() (events []byte, err error) {
	t := c.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client != c {
		return nil, ErrReplaced
	}
	if t.read != c.at {
		t.read = c.at
		signal(t.room)
	}
	if c.next <= t.last {
		from := holding(t.chunks, c.next)
		events = from.from(c.next)
		c.next, c.at = from.after(), from.end()
		return events, nil
	}
	switch {
	case !t.ended:
		return nil, nil
	case t.complete:
		return nil, io.EOF
	default:
		return nil, ErrBroken
	}
}

// Leave says that the client is gone. The tape waits for it to come back.
func (c *Client) Leave() {
	t := c.tape
	t.mu.Lock()
	if t.client != c {
		t.mu.Unlock()
		return
	}
	t.client = nil
	abandoned := false
	switch {
	case t.off:
		abandoned = t.release()
	case !t.ended:
		t.wait()
	}
	t.mu.Unlock()
	if abandoned {
		t.options.Abandon()
	}
}
