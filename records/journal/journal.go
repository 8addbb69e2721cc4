// Package journal is the append-only file in which every request of the ledger
// stands before it is forgotten, and from which rows are delivered to a store.
//
// Appending copies into memory and nothing more. One goroutine writes what has
// come within a few milliseconds and makes it durable with one fsync; another
// reads it back and hands it to the store, for as long as that takes. Rows may
// be delivered twice, after a crash; stores know them by their request.
//
// Begins alone are waited for: a third goroutine writes those that have come
// while it wrote the ones before, with those of the requests that can run now.
// They are not synced, since what is written survives the process, and only the
// machine's end could lose it.
package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/records/ledger"
)

// The errors of Append and Open.
var (
	// ErrFull: the disk takes nothing and memory has no more room.
	ErrFull = errors.New("the journal's memory is full")

	// ErrClosed: the journal was closed.
	ErrClosed = errors.New("the journal is closed")
)

// Journal is an open journal. Its methods may be used by many goroutines.
type Journal struct {
	options Options
	dir     string // the process's own folder
	unlock  func()

	degraded atomic.Bool
	late     atomic.Bool // begins are not waited for: the disk did not take one in time

	mu       sync.Mutex
	begins   []byte        // frames that nobody has taken, which come before buf
	noted    chan struct{} // closed when begins are written, nil without any
	buf      []byte        // frames that the writer has not taken
	held     int           // bytes that the writer has taken and not written
	urgent   bool          // buf has something that is waited for
	waiters  []chan struct{}
	noting   []chan struct{} // noted of begins that are in buf
	inflight map[string]*running
	idle     []*running // memory for those to come
	stats    Stats
	segments []segment // oldest first
	closed   bool
	dropping bool // the last row was dropped, and that was said

	begin      chan struct{} // to the goroutine of begins: there is one
	kick, full chan struct{} // to the writer: something is there, do not gather
	fresh      chan struct{} // to the delivery: something is durable
	hurry      chan struct{} // to the delivery: somebody waits for the rows that are there
	moved      chan struct{} // closed and replaced when the delivery has moved on
	position   position
	store      ledger.Store
	stored     chan struct{} // closed and replaced when store changes

	quit      chan struct{} // the writers shall end, and have
	begun     chan struct{}
	written   chan struct{}
	stop      context.CancelFunc // the delivery shall end, and has
	stopping  context.Context
	delivered chan struct{}
}

// Open opens the journal in options.Dir, makes rows of the requests that a
// dead process left open, and begins to write. Rows are delivered once there
// is a store.
func Open(options Options) (*Journal, error) {
	options.defaults()
	j := &Journal{
		options:   options,
		inflight:  make(map[string]*running),
		begin:     make(chan struct{}, 1),
		kick:      make(chan struct{}, 1),
		full:      make(chan struct{}, 1),
		fresh:     make(chan struct{}, 1),
		hurry:     make(chan struct{}, 1),
		moved:     make(chan struct{}),
		stored:    make(chan struct{}),
		quit:      make(chan struct{}),
		begun:     make(chan struct{}),
		written:   make(chan struct{}),
		delivered: make(chan struct{}),
	}
	j.stopping, j.stop = context.WithCancel(context.Background())
	if err := j.claim(); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if err := j.recover(); err != nil {
		j.unlock()
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	w := j.newWriter()
	go j.write(w)
	go j.writeBegins(w)
	go j.deliver()
	j.wake(j.kick)
	return j, nil
}

// Degraded reports whether rows cannot be made durable at the moment. Those
// who must not lose count, keys with a budget, are then refused.
func (j *Journal) Degraded() bool { return j.degraded.Load() }

// Stats tells how the journal is.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.InFlight, s.Memory, s.Degraded = len(j.inflight), j.memory(), j.Degraded()
	for _, segment := range j.segments {
		s.Disk += segment.size
	}
	return s
}

// Close makes durable what was appended, and ends. What is not delivered then
// is by the next one. Requests that are still open become rows of the next
// process. With a full disk Close gives up at ctx's end.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		<-j.delivered
		return nil
	}
	j.closed = true
	j.mu.Unlock()
	close(j.quit)
	var err error
	select {
	case <-j.written:
	case <-ctx.Done():
		err = fmt.Errorf("closing the journal: %w", ctx.Err())
	}
	j.stop()
	<-j.delivered
	<-j.written
	j.unlock()
	return err
}

// wake tells a goroutine that has not been told yet.
func (*Journal) wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Interface guard.
var _ gateway.UsageSink = (*Journal)(nil)
