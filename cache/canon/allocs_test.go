//go:build !race

package canon

import (
	"testing"

	"github.com/weirproxy/weir/wire"
)

// The race detector empties pools at random.
func TestMemoAllocations(t *testing.T) {
	m := NewMemo(1024, 1<<20)
	body, scope := bodyOf(4<<10), "scope"
	_, _, _ = m.Of(scope, wire.Chat, body, Options{}, false)
	got := testing.AllocsPerRun(100, func() { _, _, _ = m.Of(scope, wire.Chat, body, Options{}, false) })
	if got >= 1 { // a collection may empty the pool, so the average is not exact
		t.Errorf("%v allocations for a hit", got)
	}
}

// TestAllocations holds that what a digest costs does not grow with every turn.
func TestAllocations(t *testing.T) {
	body := bodyOf(16 << 10) // of 80 messages
	_, _, _ = Of(wire.Chat, body, Options{})
	if got := testing.AllocsPerRun(100, func() { _, _, _ = Of(wire.Chat, body, Options{}) }); got > 30 {
		t.Errorf("%v allocations", got)
	}
}
