package cache

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Remote keeps answers for a fleet. It never keeps anybody waiting beyond its
// own deadline: one that is away is a miss.
type Remote interface {
	// Get returns what was put, nil when there is nothing. Of what is longer than
	// limit bytes it returns that many.
	Get(ctx context.Context, key Key, limit int) ([]byte, error)

	// Put keeps a value for a time. It returns at once: value is called later,
	// or never when too much waits or the store is away, which false tells. size
	// is about how much memory the value keeps from being freed meanwhile.
	Put(key Key, ttl time.Duration, size int, value func() []byte) bool

	// Purge tells all that share the store of purges. When it fails, the marks
	// are told later.
	Purge(ctx context.Context, marks []Mark) error

	// Watch calls apply with the purges that others make, and with all that the
	// store knows whenever some may have been missed; until it has done that
	// first, it has no answers. known are those of this process, for a store that
	// has lost them. After stop has returned, neither is called.
	Watch(apply func([]Mark), known func() []Mark) (stop func())

	// Claim makes the caller the one in the fleet that asks for the answer of
	// key, unless somebody is already. A claim lasts for ttl and is renewed
	// until it is ended.
	Claim(ctx context.Context, key Key, ttl time.Duration) (Flight, error)

	// Stats are the counts of the process.
	Stats() RemoteStats
}

// RemoteStats count what a Remote did.
type RemoteStats struct {
	// Store is the name of its module.
	Store string
	// Gets that were answered, and those that failed or were not sent.
	Gets, Failed int64
	// Puts that arrived, were dropped before they were sent, and that the store
	// refused or lost.
	Puts, Dropped, Refused int64
	// Up says that requests are sent to it.
	Up bool
}

// RemoteProvider is a store's module that has a Remote.
type RemoteProvider interface {
	// Remote returns the Remote; the same one after a reload that changes
	// nothing about it.
	Remote() (Remote, error)
}

// Flight is one call in the fleet that others wait for.
type Flight interface {
	// Own says that the caller makes it. Else it can only follow.
	Own() bool

	// Append tells followers a record. It never blocks: records are sent in
	// batches. A log that grows beyond its bound ends with ErrLost.
	Append(record []byte)

	// Lost is closed when the claim is gone, such as in an outage: another may
	// ask meanwhile.
	Lost() <-chan struct{}

	// End gives the claim back after what was appended; complete says that it was
	// all there is. It may block for as long as the store's deadline.
	End(complete bool)

	// Followed asks whether anybody follows at present.
	Followed(ctx context.Context) bool

	// Follow yields the records from the one with this number, 0 for the first,
	// as they come, until the flight is complete, or an error: ErrLost when that
	// will not happen.
	Follow(ctx context.Context, from int) iter.Seq2[[]byte, error]
}

// ErrLost says that a flight's records end before it was complete: its owner is
// gone, or the store is, or they were too many.
var ErrLost = errors.New("following an answer of another instance: it was lost")
