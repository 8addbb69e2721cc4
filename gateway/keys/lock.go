package keys

import (
	"errors"
	"time"
)

// errLocked says that another process did not finish its change in time.
var errLocked = errors.New("another process holds the lock")

// tryFor asks try, with short pauses, until it is done, fails, or the time is
// over. This is the wall clock's time: what it waits for is another process.
func tryFor(patience time.Duration, try func() (done bool, err error)) error {
	deadline := time.Now().Add(patience)
	for {
		done, err := try()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errLocked
		}
		time.Sleep(5 * time.Millisecond)
	}
}
