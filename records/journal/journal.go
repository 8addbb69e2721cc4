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
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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

// Options are a journal's settings; zero values are the defaults.
type Options struct {
	// Dir is where the journal is. Processes that share it each take a folder
	// of their own in it, and what one left that died is adopted by the next.
	Dir string

	// SegmentSize is how large one file becomes. Default: 16 MiB.
	SegmentSize int64

	// MaxSize bounds what waits on the disk for its delivery; more counts as a
	// full disk. Default: 1 GiB.
	MaxSize int64

	// MaxMemory bounds what waits in memory for the disk. Default: 16 MiB.
	MaxMemory int

	// Window is for how long rows are gathered for one fsync. Default: 2 ms.
	Window time.Duration

	// Pace is the least time between two fsyncs that nobody waits for: rows that
	// follow one sooner are gathered for longer. Default: 10 ms.
	Pace time.Duration

	// Patience is how long a request waits for its begin to be written. A disk
	// that takes longer is not waited for again until it has. Default: 1 s.
	Patience time.Duration

	// Retry is after which time a failed write or delivery is tried again at
	// first; it doubles up to 128 times that. Default: 100 ms.
	Retry time.Duration

	// Linger is how long rows wait for others after a delivery, unless there are
	// enough for one: each is a commit of the store's. Default: 500 ms.
	Linger time.Duration

	// Now tells the time. Default: the system's.
	Now func() time.Time

	// Logger is told of what is lost or late. Default: nobody.
	Logger *slog.Logger

	// FS is where the files are. Default: the system's.
	FS FS
}

func (o *Options) defaults() {
	set(&o.SegmentSize, 16<<20)
	set(&o.MaxSize, 1<<30)
	set(&o.MaxMemory, 16<<20)
	set(&o.Window, 2*time.Millisecond)
	set(&o.Pace, 10*time.Millisecond)
	set(&o.Patience, time.Second)
	set(&o.Retry, 100*time.Millisecond)
	set(&o.Linger, 500*time.Millisecond)
	// A quarter at most, so that there is always room for the next segment.
	o.SegmentSize = min(o.SegmentSize, o.MaxSize/4)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil {
		o.FS = osFS{}
	}
}

func set[T int | int64 | time.Duration](value *T, standard T) {
	if *value <= 0 {
		*value = standard
	}
}

// Stats tell how a journal is. The counts begin with the process.
type Stats struct {
	Pending  int64 // rows that are not delivered yet
	InFlight int   // requests that are open
	Memory   int   // bytes that are not on the disk yet
	Disk     int64 // bytes on the disk
	Degraded bool

	Dropped     int64 // rows for which there was no room
	Rejected    int64 // rows that the store refuses, kept in the file `rejected`
	Interrupted int64 // requests that a dead process left open
	Corrupt     int64 // places at which files held no frame
}

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

// running is a request between Open and Append.
type running struct {
	row      ledger.Row
	progress ledger.Progress
}

// maxIdle is how many running are kept for requests to come.
const maxIdle = 256

// enter notes a request as open; the lock is held.
func (j *Journal) enter(row *ledger.Row) {
	r := j.inflight[row.RequestID]
	switch n := len(j.idle); {
	case r != nil:
	case n > 0:
		r, j.idle = j.idle[n-1], j.idle[:n-1]
	default:
		r = new(running)
	}
	r.row, r.progress = *row, row.Progress()
	j.inflight[row.RequestID] = r
}

// leave notes that a request is open no more, and reports whether it was; the
// lock is held.
func (j *Journal) leave(id string) bool {
	r := j.inflight[id]
	if r == nil {
		return false
	}
	delete(j.inflight, id)
	if len(j.idle) < maxIdle {
		j.idle = append(j.idle, r)
	}
	return true
}

// segment is one file. Its first size bytes are durable frames.
type segment struct {
	seq  uint64
	size int64
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

// Checkpoint notes what an open request has used so far. It is called about
// once a second for each stream: what was used since the last call is lost
// when the process is killed.
func (j *Journal) Checkpoint(id string, p ledger.Progress) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.inflight[id]
	if r == nil || r.progress == p {
		return
	}
	r.progress = p
	if j.room() == nil {
		j.buf = appendProgress(j.buf, id, p)
		j.wake(j.kick)
	}
}

// Forget takes back Open: the request was refused after all and makes no row.
func (j *Journal) Forget(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.leave(id) {
		return
	}
	if j.room() == nil {
		j.buf = appendForget(j.buf, id)
		j.wake(j.kick)
	}
}

// Append adds the final row of a request, whether or not it was opened. It
// never waits for the disk. With ErrFull the row is lost, and was counted.
func (j *Journal) Append(row ledger.Row) error {
	row.Clean()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.leave(row.RequestID)
	if err := j.room(); err != nil {
		j.stats.Dropped++
		if !j.dropping {
			j.dropping = true
			j.options.Logger.Error("usage is lost: neither the disk nor the records take it", slogDir(j.dir), slogRequest(row.RequestID), slogErr(err))
		}
		return err
	}
	j.dropping = false
	j.buf = appendRow(j.buf, kindRow, &row)
	j.stats.Pending++
	j.urgent = true
	j.wake(j.kick)
	if len(j.buf) >= gatherSize {
		j.wake(j.full)
	}
	return nil
}

// Record implements gateway.UsageSink. A row for which there is no room is
// counted, and said once.
func (j *Journal) Record(r *gateway.Record) { _ = j.Append(ledger.FromRecord(r)) }

// room reports whether one more frame fits into memory.
func (j *Journal) room() error {
	switch {
	case j.closed:
		return ErrClosed
	case j.memory() >= j.options.MaxMemory:
		return ErrFull
	}
	return nil
}

// memory is how many bytes are not on the disk; the lock is held.
func (j *Journal) memory() int { return len(j.begins) + len(j.buf) + j.held }

// Sync waits until everything that was appended before is durable.
func (j *Journal) Sync(ctx context.Context) error {
	done := make(chan struct{})
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.waiters = append(j.waiters, done)
	j.urgent = true
	j.mu.Unlock()
	j.wake(j.kick)
	j.wake(j.full)
	select {
	case <-done:
		return nil
	case <-j.written:
		select {
		case <-done:
			return nil
		default:
			return ErrClosed
		}
	case <-ctx.Done():
		return fmt.Errorf("syncing the journal: %w", ctx.Err())
	}
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
