package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/pgtest"
)

// listening is how many connections wait for notifications.
const listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'a' AND query LIKE 'LISTEN%'"

// TestPurge holds that purges reach all instances: those that listen, those
// whose connections are cut, those that cannot listen, and those of a server that
// was restarted.
func TestPurge(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	ra, rb := remote(t, url), remote(t, url)
	a, b := process(t, ra), process(t, rb)
	purge := func(name, tag string) {
		t.Helper()
		shelve(t, a, ra, "x", tag)
		eventually(t, name+": the answer", func() bool { return has(b, "x") })
		since := a.Stamp()
		if err := b.Marks.Purge(background, tag, tag); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		dead := func() bool {
			_, there := a.Get(keyOf("x"), "a")
			return !there
		}
		eventually(t, name, dead)
		// One second is promised; the rest is the machine's.
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s: after %s", name, took)
		}
		if has(a, "x") || has(b, "x") {
			t.Errorf("%s: found in the store", name)
		}
		if a.Put(keyOf("x"), "a", answer("late", tag), since, hour) {
			t.Errorf("%s: what was under way is kept", name)
		}
	}
	eventually(t, "listening", func() bool { return server.Exec("a", listening) == "2" })
	purge("listening", "model:x")
	purge("again", "model:x")
	purge("strange", "a tag with blanks 12 3 and \x00\xff")
	server.Exec("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
	purge("cut off", "t")
	eventually(t, "listening again", func() bool { return server.Exec("a", listening) == "2" })
	purge("all", cache.All)
	server.Stop()
	eventually(t, "the outage", func() bool { return !ra.Stats().Up && !rb.Stats().Up })
	server.Restart()
	eventually(t, "recovery", func() bool { return ra.Stats().Up && rb.Stats().Up })
	purge("after a restart", "t")
	if n := server.Exec("a", `SELECT count(*) FROM weir_cache_marks WHERE "value" <= (SELECT max("value") FROM weir_cache_marks WHERE "tag" = 'all')`); n != "1" {
		t.Errorf("%s marks that the one of all covers", n)
	}
}

// TestNotified holds that a purge says that it is time to ask.
func TestNotified(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	c := process(t, r)
	ctx, cancel := context.WithCancel(background)
	// One that only listens.
	other := &Cache{pool: r.pool, names: r.names, background: ctx, kicks: make(chan struct{}, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = other.hear()
	}()
	defer func() {
		cancel()
		<-ended
	}()
	for i := range 3 {
		select {
		case <-other.kicks:
		case <-time.After(20 * time.Second):
			t.Fatalf("purge %d is not heard of", i)
		}
		if err := c.Marks.Purge(background, "t"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPolled holds that asking now and then is enough, without notifications.
func TestPolled(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	ra, rb := remote(t, url), remote(t, url)
	ra.names.everyone = "SELECT 1"
	a, b := process(t, ra), process(t, rb)
	shelve(t, a, ra, "x", "t")
	eventually(t, "the answer", func() bool { return has(b, "x") })
	if err := a.Marks.Purge(background, "t"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the purge", func() bool { return !has(b, "x") })
}

// TestLostMarks holds that a database that has lost its marks is told, so that
// whoever comes later knows them, and that purges during an outage arrive.
func TestLostMarks(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	r := remote(t, url)
	c := process(t, r)
	shelve(t, c, r, "x", "t")
	shelve(t, c, r, "y", "u")
	if err := c.Marks.Purge(background, "t"); err != nil {
		t.Fatal(err)
	}
	marks := func() string { return server.Exec("a", "SELECT count(*) FROM weir_cache_marks") }
	// The database forgets the marks and not the answers.
	server.Exec("a", "TRUNCATE weir_cache_marks, weir_cache_purges")
	eventually(t, "the marks", func() bool { return marks() == "1" })
	// An older backup is played back.
	server.Exec("a", `DELETE FROM weir_cache_marks; UPDATE weir_cache_purges SET "change" = 0`)
	eventually(t, "the marks", func() bool { return marks() == "1" })
	r.breaker.Trip()
	if err := c.Marks.Purge(background, "u"); err == nil {
		t.Error("a purge that cannot be told is no error")
	}
	eventually(t, "the marks", func() bool { return marks() == "2" })
	late := process(t, remote(t, url))
	for _, request := range []string{"x", "y"} {
		if has(late, request) {
			t.Errorf("%s is found by one that comes later", request)
		}
	}
}

// TestManyTags holds that the database's marks stay few, and that what was purged
// stays dead.
func TestManyTags(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	r := remote(t, url)
	c := process(t, r)
	shelve(t, c, r, "x", "tag 17")
	var tags []string
	for i := range maxTags + 100 {
		tags = append(tags, fmt.Sprint("tag ", i))
	}
	if err := c.Marks.Purge(background, tags...); err != nil {
		t.Fatal(err)
	}
	if n := server.Exec("a", "SELECT count(*) FROM weir_cache_marks"); len(n) > 3 {
		t.Errorf("%s marks", n)
	}
	if late := process(t, remote(t, url)); has(late, "x") {
		t.Error("a purge is forgotten")
	}
}

// TestUntold holds that nothing is found before the marks were read.
func TestUntold(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	c := process(t, r)
	shelve(t, c, r, "x")
	stop := r.watchers.Watch(func([]cache.Mark) {}, func() []cache.Mark { return nil })
	defer stop()
	if b, err := r.Get(background, keyOf("x"), 100); b != nil || err == nil {
		t.Errorf("%q %v", b, err)
	}
	r.stale.Store(true)
	r.kick()
	eventually(t, "the marks", func() bool { return r.Stats().Up })
}
