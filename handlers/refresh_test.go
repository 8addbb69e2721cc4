package handlers

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/waittest"
)

// shelf is what instances share in this test.
type shelf struct {
	mu   sync.Mutex
	kept map[cache.Key][]byte
}

func (s *shelf) Get(_ context.Context, key cache.Key, _ int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[key], nil
}

func (s *shelf) Put(key cache.Key, _ time.Duration, _ int, value func() []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = value()
	return true
}

// only is the key of the answer that it has.
func (s *shelf) only() (key cache.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key = range s.kept {
		return key
	}
	return key
}

func (*shelf) Purge(context.Context, []cache.Mark) error            { return nil }
func (*shelf) Watch(func([]cache.Mark), func() []cache.Mark) func() { return func() {} }
func (*shelf) Stats() cache.RemoteStats                             { return cache.RemoteStats{} }

func (*shelf) Claim(context.Context, cache.Key, time.Duration) (cache.Flight, error) {
	return nil, errors.New("each makes its own calls")
}

// counted counts calls.
type counted struct {
	canned
	calls *atomic.Int64
}

func (c counted) Do(ctx context.Context, call *gateway.Call) (*http.Response, error) {
	c.calls.Add(1)
	return c.canned.Do(ctx, call)
}

// wound is a clock that goes when it is told to.
type wound struct{ ahead atomic.Int64 }

func (w *wound) Now() time.Time { return time.Unix(1e9, w.ahead.Load()) }

// TestOneRefreshes holds that of several instances that serve the same stale answer
// the first renews it, and the others take what it has put into their store.
func TestOneRefreshes(t *testing.T) {
	var (
		calls  atomic.Int64
		clock  wound
		shared = &shelf{kept: map[cache.Key][]byte{}}
	)
	instance := func() func(int) string {
		p, _ := proxyAt(t, counted{canned{chatStream(3)}, &calls}, &clock)
		none := 0
		policy, serve := keeps(t, p, &CacheExact{Jitter: &none, StaleWhileRevalidate: caddy.Duration(time.Hour)})
		options := policy.Exact.answers.Options
		options.Remote, options.Now = shared, clock.Now
		var err error
		if policy.Exact.answers, err = cache.New(options); err != nil {
			t.Fatal(err)
		}
		return func(number int) string {
			word := serve(number)
			key := shared.only()
			waittest.Eventually(t, "the end of the refresh", func() bool { return p.kept.Refreshes.Begin(key) })
			p.kept.Refreshes.End(key)
			return word
		}
	}
	a, b := instance(), instance()
	for _, tc := range []struct {
		at    time.Duration
		serve func(int) string
		word  string
		calls int64
	}{
		{0, a, cacheMiss, 1},
		{0, b, cacheHit, 1},
		{90 * time.Minute, a, cacheHit, 2},
		{90 * time.Minute, b, cacheHit, 2},
		{140 * time.Minute, b, cacheHit, 2}, // fresh for 50 minutes
		{170 * time.Minute, b, cacheHit, 3},
	} {
		clock.ahead.Store(int64(tc.at))
		if word := tc.serve(0); word != tc.word || calls.Load() != tc.calls {
			t.Errorf("%s: %s, %d calls, want %s and %d", tc.at, word, calls.Load(), tc.word, tc.calls)
		}
	}
}
