package cache

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWatchers holds that nothing counts as read until everybody was told
// everything, and that the store hears what it lacks.
func TestWatchers(t *testing.T) {
	var w Watchers
	if w.Ready() {
		t.Error("ready before anything was read")
	}
	told := map[string][]Mark{}
	watch := func(name string, known ...Mark) func() {
		return w.Watch(func(m []Mark) { told[name] = append(told[name], m...) }, func() []Mark { return known })
	}
	stop := watch("a", Mark{"x", 5}, Mark{"y", 9})
	if missing := w.TellAll([]Mark{{"x", 5}, {All, 6}}); !cmp.Equal(missing, []Mark{{"y", 9}}) {
		t.Errorf("missing %v", missing)
	}
	if !w.Ready() {
		t.Error("not ready")
	}
	watch("b")
	if w.Ready() {
		t.Error("ready, and one has been told nothing")
	}
	w.Tell([]Mark{{"z", 7}})
	if w.Ready() {
		t.Error("news are taken for everything")
	}
	stop()
	w.TellAll([]Mark{{"x", 5}})
	want := map[string][]Mark{"a": {{"x", 5}, {All, 6}, {"z", 7}}, "b": {{"z", 7}, {"x", 5}}}
	if diff := cmp.Diff(want, told); diff != "" || !w.Ready() {
		t.Error(diff)
	}
}
