//go:build !race

package keys

import "testing"

// The race detector empties pools at random.
func TestFindAllocatesNothing(t *testing.T) {
	set, secrets := found(t)
	for name, secret := range secrets {
		// The pool may be emptied by a collection: an average below 1 is none.
		if n := testing.AllocsPerRun(100, func() { _, _ = set.Find(secret, start) }); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
