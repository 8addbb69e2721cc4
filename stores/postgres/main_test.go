package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/leaktest"
	dialects "github.com/weirproxy/weir/wire"
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

// process returns a cache with its own memory and marks, as an instance has.
func process(t *testing.T, r *Cache) *cache.Cache {
	t.Helper()
	memory, err := cache.NewMemory(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(memory.Close)
	marks := cache.NewMarks(time.Now, nil)
	c, err := cache.New(cache.Options{Memory: memory, Marks: marks, Remote: r, Secret: []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(marks.Attach(r))
	eventually(t, "the marks", func() bool { return r.Stats().Up })
	return c
}

func keyOf(request string) cache.Key {
	var digest [32]byte
	copy(digest[:], request)
	return cache.KeyOf("", "key", "a", "m", digest)
}

func answer(body string, tags ...string) *cache.Answer {
	return &cache.Answer{Made: time.Now(), Tags: tags, Form: cache.Form{Operation: dialects.Chat, Body: []byte(body)}}
}

var hour = cache.Terms{TTL: time.Hour}

// shelve keeps an answer and waits until the server has it. An answer may be lost
// with a connection that has died.
func shelve(t *testing.T, c *cache.Cache, r *Cache, request string, tags ...string) {
	t.Helper()
	before := r.Stats()
	put := func() { c.Put(keyOf(request), "a", answer("answer to "+request, tags...), c.Stamp(), hour) }
	put()
	lost := before
	eventually(t, "the answer", func() bool {
		now := r.Stats()
		if now.Puts == before.Puts && now.Dropped+now.Refused > lost.Dropped+lost.Refused {
			lost = now
			put()
		}
		return now.Puts > before.Puts
	})
}

func has(c *cache.Cache, request string) bool {
	hit, ok := c.Fetch(background, keyOf(request), "a")
	return ok && string(hit.Form.Body) == "answer to "+request
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(until) {
			t.Fatalf("%s does not come", what)
		}
	}
}
