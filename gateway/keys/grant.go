package keys

import (
	"slices"
	"time"
)

// Grant is what a request was let in with, to be looked at again while it runs.
type Grant struct {
	// Credential is what the client sent; empty for the key of requests that
	// bring none.
	Credential string
}

// Honours returns why a request with g would not be let in now, nil if it
// would: one of the errors of [Set.Find].
func (s *Set) Honours(g Grant, now time.Time) (err error) {
	if g.Credential == "" {
		_, err = s.now.Load().forNobody(now.UnixNano())
	} else {
		_, err = s.Find(g.Credential, now)
	}
	return err
}

// Version stands for what a set answers: as long as it is the same, so are the
// answers. Versions can be compared.
type Version struct {
	snapshot *snapshot
	expired  int // how many keys and replaced secrets are over
}

// Version returns that of now.
func (s *Set) Version(now time.Time) Version {
	snap := s.now.Load()
	expired, _ := slices.BinarySearchFunc(snap.expiries, now.UnixNano(), func(expiry, now int64) int {
		if expiry <= now {
			return -1
		}
		return 1
	})
	return Version{snap, expired}
}
