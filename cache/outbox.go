package cache

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// maxPuts and MaxWaiting are how many answers, and how many bytes of them,
	// wait to be sent. More are dropped.
	maxPuts    = 1024
	MaxWaiting = 32 << 20

	// together is how many are sent at once, and about how many bytes.
	together      = 32
	bytesTogether = 4 << 20
)

// Parcel is an answer that waits to be sent to a Remote: see [Remote.Put].
type Parcel struct {
	Key   Key
	Until time.Time
	Size  int
	Value func() []byte
}

// Outbox holds the answers that wait for a Remote. It is bounded by how many
// they are and by the memory that they keep, and nobody waits for it.
type Outbox struct {
	puts    chan Parcel
	waiting atomic.Int64
}

// NewOutbox returns an empty one.
func NewOutbox() *Outbox { return &Outbox{puts: make(chan Parcel, maxPuts)} }

// Offer takes a parcel, or reports that there is no room.
func (o *Outbox) Offer(p Parcel) bool {
	if o.waiting.Add(int64(p.Size)) > MaxWaiting {
		o.waiting.Add(-int64(p.Size))
		return false
	}
	select {
	case o.puts <- p:
		return true
	default:
		o.waiting.Add(-int64(p.Size))
		return false
	}
}

// Take waits for a parcel and returns it with those that wait too, as many as
// should be sent at once; nil when ctx ends. They take room until they are Done.
func (o *Outbox) Take(ctx context.Context) []Parcel {
	var all []Parcel
	select {
	case <-ctx.Done():
		return nil
	case first := <-o.puts:
		all = append(all, first)
	}
	for size := all[0].Size; len(all) < together && size < bytesTogether; {
		select {
		case next := <-o.puts:
			all = append(all, next)
			size += next.Size
		default:
			return all
		}
	}
	return all
}

// Done frees the room of parcels.
func (o *Outbox) Done(all []Parcel) {
	for _, p := range all {
		o.waiting.Add(-int64(p.Size))
	}
}

// Waiting is how many bytes wait, or are being sent.
func (o *Outbox) Waiting() int64 { return o.waiting.Load() }
