// Package cachetest is what tests of the stores that keep answers share.
package cachetest

import (
	"context"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/waittest"
	"github.com/weirproxy/weir/wire"
)

// Hour are the terms that answers are kept by.
var Hour = cache.Terms{TTL: time.Hour}

// Process returns a cache with its own memory and marks, as an instance has.
func Process(t *testing.T, r cache.Remote) *cache.Cache {
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
	waittest.Eventually(t, "the marks", func() bool { return r.Stats().Up })
	return c
}

// KeyOf is the key of a request.
func KeyOf(request string) cache.Key {
	var digest [32]byte
	copy(digest[:], request)
	return cache.KeyOf("", "key", "a", "m", digest)
}

// Answer is one that was just made.
func Answer(body string, tags ...string) *cache.Answer {
	return &cache.Answer{Made: time.Now(), Tags: tags, Form: cache.Form{Operation: wire.Chat, Body: []byte(body)}}
}

// Shelve keeps an answer and waits until the server has it. An answer may be lost
// with a connection that has died.
func Shelve(t *testing.T, c *cache.Cache, r cache.Remote, request string, tags ...string) {
	t.Helper()
	before := r.Stats()
	put := func() { c.Put(KeyOf(request), "a", Answer("answer to "+request, tags...), c.Stamp(), Hour) }
	put()
	lost := before
	waittest.Eventually(t, "the answer", func() bool {
		now := r.Stats()
		if now.Puts == before.Puts && now.Dropped+now.Refused > lost.Dropped+lost.Refused {
			lost = now
			put()
		}
		return now.Puts > before.Puts
	})
}

// Has reports whether what was shelved is found.
func Has(c *cache.Cache, request string) bool {
	hit, ok := c.Fetch(context.Background(), KeyOf(request), "a")
	return ok && string(hit.Form.Body) == "answer to "+request
}
