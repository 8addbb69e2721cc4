package cache

import "sync"

// Once lets one at a time do something about a key. The zero value is ready; it is
// safe for concurrent use.
type Once struct{ busy sync.Map }

// Begin reports whether the caller is the one. It must End then.
func (o *Once) Begin(key Key) bool {
	_, busy := o.busy.LoadOrStore(key, struct{}{})
	return !busy
}

// End lets another begin.
func (o *Once) End(key Key) { o.busy.Delete(key) }
