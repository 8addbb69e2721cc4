package gateway

import "time"

// The pauses before calls to a target that has failed already: growing, with
// full jitter, so that clients that failed together do not come back together.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 5 * time.Second

	// maxPause is the longest that an upstream's own word is waited for while
	// the client waits too.
	maxPause = 20 * time.Second
)

// pause is how long to wait before the same is tried again; asked is the
// upstream's own word, 0 for none. It is negative when that is too long.
func (i *Itinerary) pause(asked time.Duration) time.Duration {
	if asked > maxPause {
		return -1
	}
	least := firstPause
	if i.retry.TryInterval > 0 {
		least = i.retry.TryInterval
	}
	high := min(least<<min(i.pauses, 10), max(longPause, least))
	i.pauses++
	jittered := time.Duration(float64(high) * float64(i.gateway.random()>>11) / (1 << 53))
	if asked > 0 {
		// All who were refused at once would come back at once.
		return asked + jittered/4
	}
	return jittered
}
