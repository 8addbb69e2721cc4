package waittest

import (
	"testing"
	"testing/synctest"
)

// TestCount holds that every change is seen by all who wait, also one on the way
// to what they wait for.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Count
		c.Wait(t, 0)
		got := make(chan int64, 3)
		for range 3 {
			go func() {
				c.Wait(t, 2)
				got <- c.Load()
			}()
		}
		synctest.Wait()
		c.Add(1)
		synctest.Wait()
		if len(got) != 0 {
			t.Error("1 is taken for 2")
		}
		c.Add(1)
		synctest.Wait()
		if len(got) != 3 {
			t.Errorf("%d of 3 saw the change", len(got))
		}
	})
}
