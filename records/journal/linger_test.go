package journal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/waittest"
)

// TestLinger holds that rows do not wait for others when somebody waits for them,
// nor when there are enough.
func TestLinger(t *testing.T) {
	o := options(newFakeFS())
	o.Linger = time.Hour
	j := open(t, o)
	store := newFakeStore()
	j.SetStore(store)
	if err := errors.Join(j.Append(row("first", 1)), j.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	add := func(from, to int) {
		for n := from; n < to; n++ {
			if err := j.Append(row(fmt.Sprint(n), 1)); err != nil {
				t.Fatal(err)
			}
			if n%20 == 0 {
				if err := j.Sync(within(t)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	add(0, 400)
	if err := j.Flush(within(t)); err != nil || store.count() != 401 {
		t.Fatalf("%d rows, %v", store.count(), err)
	}
	add(400, 400+2*putRows)
	waittest.Eventually(t, "many rows do not wait", func() bool { return store.count() > 401+putRows-1 })
}
