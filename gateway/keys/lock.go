package keys

import (
	"context"
	"errors"
	"time"
)

// errLocked says that another process did not finish its change in time.
var errLocked = errors.New("another process holds the lock")

// lockPause is how often a lock is asked for. To wait in flock itself would
// hold a thread that nothing can call back when ctx or the patience ends.
const lockPause = 5 * time.Millisecond

// tryFor asks try, with short pauses, until it is done, fails, or the time or
// ctx is over. This is the wall clock's time: what it waits for is another
// process.
func tryFor(ctx context.Context, patience time.Duration, try func() (done bool, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLocked)
	defer cancel()
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for {
		done, err := try()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
