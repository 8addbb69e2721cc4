//go:build race

package redis

// racing says that the race detector runs, under which a sync.Pool drops things
// at random.
const racing = true
