package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache/cachetest"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/waittest"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

var background = context.Background()

// remote returns a Cache that is connected. The machine that tests run on is
// slower than the deadline allows for.
func remote(tb testing.TB, url string, change ...func(*Options)) *Cache {
	tb.Helper()
	c := apart(tb, url, change...)
	if t, ok := tb.(*testing.T); ok {
		eventually(t, "connecting", c.breaker.Allow)
	}
	return c
}

// apart is one that may not be connected.
func apart(tb testing.TB, url string, change ...func(*Options)) *Cache {
	tb.Helper()
	options := Options{URL: url, Deadline: 5 * time.Second}
	for _, f := range change {
		f(&options)
	}
	c, err := NewCache(options, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// The helpers that tests of all stores share.
var (
	process    = cachetest.Process
	keyOf      = cachetest.KeyOf
	answer     = cachetest.Answer
	hour       = cachetest.Hour
	shelve     = cachetest.Shelve
	has        = cachetest.Has
	eventually = waittest.Eventually
)
