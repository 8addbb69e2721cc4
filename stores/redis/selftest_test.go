package redis

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/redistest"
)

// TestPatientSelfTest holds that a server which does not answer for a moment, and
// does then what it was asked meanwhile, passes the test.
func TestPatientSelfTest(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	s.deadline.Store(int64(DefaultDeadline))
	for range 5 {
		server.Pause()
		time.AfterFunc(300*time.Millisecond, server.Resume)
		if err := s.canary(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
