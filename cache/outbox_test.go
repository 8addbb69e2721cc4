package cache

import (
	"context"
	"testing"
)

// TestOutbox holds that what waits is bounded by number and by bytes, that what
// is being sent counts, and that one delivery is bounded too.
func TestOutbox(t *testing.T) {
	for _, tc := range []struct {
		name              string
		size, want, first int
	}{
		{"many", 1, maxPuts, together},
		{"large", 1 << 20, MaxWaiting >> 20, 4},
		{"huge", MaxWaiting, 1, 1},
		{"beyond all", MaxWaiting + 1, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := NewOutbox()
			taken := 0
			for range 2 * maxPuts {
				if o.Offer(Parcel{Size: tc.size}) {
					taken++
				}
			}
			if taken != tc.want || o.Waiting() != int64(taken*tc.size) {
				t.Fatalf("%d wait, %d bytes", taken, o.Waiting())
			}
			if taken == 0 {
				return
			}
			all := o.Take(t.Context())
			if len(all) != tc.first {
				t.Errorf("%d at once", len(all))
			}
			if o.Waiting() != int64(taken*tc.size) {
				t.Error("what is being sent does not count")
			}
			o.Done(all)
			if o.Waiting() != int64((taken-len(all))*tc.size) {
				t.Errorf("%d bytes wait", o.Waiting())
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if all := NewOutbox().Take(ctx); all != nil {
		t.Errorf("%d from nowhere", len(all))
	}
}
