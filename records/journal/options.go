package journal

import (
	"log/slog"
	"time"
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
