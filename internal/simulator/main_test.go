package simulator

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/leaktest"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestMain(m *testing.M) { leaktest.Main(m) }

// jumpClock is virtual time that moves to wherever somebody waits for.
type jumpClock struct {
	mu  sync.Mutex
	now time.Time
}

func newJumpClock() *jumpClock {
	return &jumpClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (c *jumpClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *jumpClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	ch := make(chan time.Time, 1)
	ch <- c.now
	return ch
}

// stuckClock never comes to the end of a wait, and tells that one began.
type stuckClock struct {
	jumpClock
	waits chan time.Duration
}

func newStuckClock() *stuckClock {
	return &stuckClock{jumpClock: jumpClock{now: newJumpClock().now}, waits: make(chan time.Duration, 8)}
}

func (c *stuckClock) After(d time.Duration) <-chan time.Time {
	c.waits <- d
	return nil
}

// simulate returns one whose tokens are counted as words, in virtual time.
func simulate(cfg Config) *Simulator {
	if cfg.Clock == nil {
		cfg.Clock = newJumpClock()
	}
	if cfg.Count == nil {
		cfg.Count = func(_ string, text []byte) int { return len(bytes.Fields(text)) }
	}
	return New(cfg)
}

func request(t *testing.T, ctx context.Context, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://simulator.invalid"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(path, "/anthropic/") || strings.Contains(path, "/messages") {
		req.Header.Set("Anthropic-Version", "2023-06-01")
	}
	return req
}

func post(t *testing.T, s *Simulator, path, body string) *http.Response {
	t.Helper()
	res, err := s.RoundTrip(request(t, t.Context(), http.MethodPost, path, body))
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading body: %v", err)
	}
	return string(b)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
