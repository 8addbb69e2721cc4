package redis

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/redistest"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// open returns a store on server that has tested itself.
func open(tb testing.TB, server *redistest.Server, change ...func(*Options)) *Store {
	tb.Helper()
	// The machine that tests run on is slower than the deadline allows for.
	options := Options{URL: server.URL, Deadline: 5 * time.Second}
	for _, c := range change {
		c(&options)
	}
	s, err := New(options, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = s.Close()
		// The server is gone now: nothing pending can arrive any more.
		s.cancel()
	})
	if _, err := s.SelfTest(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return s
}
