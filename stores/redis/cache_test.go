package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/cachetest"
	"github.com/weirproxy/weir/internal/breaker"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/internal/waittest"
)

var background = context.Background()

// remote returns a Cache that is connected. The machine that tests run on is
// slower than the deadline allows for.
func remote(tb testing.TB, url string) *Cache {
	tb.Helper()
	c, err := NewCache(Options{URL: url}, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	c.deadline.Store(int64(5 * time.Second))
	if t, ok := tb.(*testing.T); ok {
		eventually(t, "connecting", func() bool { return c.Stats().Up })
	}
	return c
}

// The helpers that tests of all stores share.
var (
	eventually = waittest.Eventually
	process    = cachetest.Process
	keyOf      = cachetest.KeyOf
	answer     = cachetest.Answer
	hour       = cachetest.Hour
	shelve     = cachetest.Shelve
	has        = cachetest.Has
)

// programs are the servers that are there; only the first has to be.
func programs(t *testing.T, test func(*testing.T, redistest.Program)) {
	for _, program := range redistest.All(t) {
		t.Run(program.Name, func(t *testing.T) { test(t, program) })
	}
}

func TestCacheGetPut(t *testing.T) {
	programs(t, func(t *testing.T, program redistest.Program) {
		server := program.Start(t)
		r := remote(t, server.URL)
		if b, err := r.Get(background, keyOf("x"), 100); b != nil || err != nil {
			t.Errorf("nothing there: %q %v", b, err)
		}
		value := bytes.Repeat([]byte{0, 1, 255}, 50)
		if !r.Put(keyOf("x"), time.Hour, 150, func() []byte { return value }) {
			t.Fatal("dropped")
		}
		eventually(t, "the value", func() bool { return r.Stats().Puts == 1 })
		if b, err := r.Get(background, keyOf("x"), 1000); !bytes.Equal(b, value) || err != nil {
			t.Errorf("%q %v", b, err)
		}
		if b, err := r.Get(background, keyOf("x"), 10); len(b) != 10 || err != nil {
			t.Errorf("a part: %q %v", b, err)
		}
		ttl := server.Must("PTTL " + r.name(keyOf("x"), "answer"))
		if ttl < ":3500000" || ttl > ":3600000" || len(strings.TrimSpace(ttl)) != 8 {
			t.Errorf("its life is %s", ttl)
		}
		server.Must("DEL " + r.name(keyOf("x"), "answer"))
		server.Must("LPUSH " + r.name(keyOf("x"), "answer") + " 1")
		if _, err := r.Get(background, keyOf("x"), 10); err == nil || !r.breaker.Allow() {
			t.Errorf("another's value: %v", err)
		}
	})
}

// TestCacheAway holds that a server that is away is a miss within the deadline,
// and that all comes back by itself (K09).
func TestCacheAway(t *testing.T) {
	for _, way := range away {
		t.Run(way.name, func(t *testing.T) {
			server := redistest.Start(t)
			r := remote(t, server.URL)
			c := process(t, r)
			shelve(t, c, r, "x")
			r.deadline.Store(int64(CacheDeadline))
			way.down(server)
			for i := range 3 * breaker.Threshold {
				begun := time.Now()
				if _, ok := c.Fetch(background, keyOf("x"), "a"); ok {
					t.Error("a hit of a server that is away")
				}
				c.Put(keyOf(fmt.Sprint(i)), "a", answer("b"), c.Stamp(), hour)
				if _, err := r.Claim(background, keyOf("x"), time.Second); err == nil {
					t.Error("a claim")
				}
				// The margin is the machine's: without the deadline it would be ten
				// seconds.
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("request %d waited %s", i, took)
				}
			}
			if r.breaker.Allow() {
				t.Error("the breaker is closed")
			}
			if hit, ok := c.Get(keyOf("x"), "a"); !ok || string(hit.Form.Body) != "answer to x" {
				t.Error("what the process has is not found")
			}
			way.back(server)
			r.deadline.Store(int64(5 * time.Second))
			eventually(t, "recovery", func() bool { return r.Stats().Up })
			shelve(t, c, r, "y")
			if !has(c, "y") {
				t.Error("nothing is found after the outage")
			}
		})
	}
}

// TestCacheSlow holds that a server that is slower than the deadline stays away
// until it is faster.
func TestCacheSlow(t *testing.T) {
	server := redistest.Start(t)
	line := newWire(t, server.Addr)
	r := remote(t, "redis://"+line.addr)
	c := process(t, r)
	shelve(t, c, r, "x")
	r.deadline.Store(int64(10 * CacheDeadline))
	line.delay.Store(int64(30 * CacheDeadline))
	for range 2 * breaker.Threshold {
		if _, ok := c.Fetch(background, keyOf("x"), "a"); ok {
			t.Error("a hit that is too late")
		}
	}
	if r.breaker.Allow() {
		t.Error("the breaker is closed")
	}
	// To look for purges is no reason to use it again.
	if err := r.look(); err == nil || r.breaker.Allow() {
		t.Errorf("it is used again, and slow: %v", err)
	}
	line.delay.Store(0)
	r.deadline.Store(int64(5 * time.Second))
	eventually(t, "recovery", func() bool { return r.Stats().Up && has(c, "x") })
}

// TestCacheFull holds that a server that takes no writes goes on answering, and
// that no request fails or waits for it.
func TestCacheFull(t *testing.T) {
	for name, way := range map[string]struct{ full, room string }{
		"OOM":        {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},
		"NOREPLICAS": {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			r := remote(t, server.URL)
			c := process(t, r)
			shelve(t, c, r, "x", "t")
			server.Must(way.full)
			c.Put(keyOf("y"), "a", answer("y"), c.Stamp(), hour)
			eventually(t, "the refusal", func() bool { return r.Stats().Refused == 1 })
			if !has(c, "x") || !r.Stats().Up {
				t.Error("it does not answer any more")
			}
			if r.Put(keyOf("z"), time.Hour, 1, func() []byte { return []byte("z") }) {
				t.Error("it is sent more")
			}
			if _, err := r.Claim(background, keyOf("x"), time.Second); err == nil {
				t.Error("a claim")
			}
			if err := c.Marks.Purge(background, "t"); err == nil {
				t.Error("a purge that is not told is no error")
			}
			if has(c, "x") {
				t.Error("purged, and found")
			}
			server.Must(way.room)
			other := process(t, remote(t, server.URL))
			eventually(t, "the purge", func() bool { return !has(other, "x") })
			eventually(t, "writing", func() bool { return r.clock().UnixNano() > r.refusing.Load() })
			shelve(t, c, r, "z")
		})
	}
}

// TestCacheMISCONF holds the same of a server that cannot write to its disk.
func TestCacheMISCONF(t *testing.T) {
	server := redistest.Start(t)
	r := remote(t, server.URL)
	c := process(t, r)
	shelve(t, c, r, "x")
	// A directory of its dump's name stands in the way of renaming.
	if err := os.Mkdir(filepath.Join(server.List("CONFIG GET dir")[1], "dump.rdb"), 0o700); err != nil {
		t.Fatal(err)
	}
	server.Must("CONFIG SET save \"3600 1\"")
	server.Must("BGSAVE")
	eventually(t, "the failure to save", func() bool {
		reply, _ := server.Command("SET probe 1")
		return strings.HasPrefix(reply, "-MISCONF")
	})
	c.Put(keyOf("y"), "a", answer("y"), c.Stamp(), hour)
	eventually(t, "the refusal", func() bool { return r.Stats().Refused == 1 })
	if !has(c, "x") || !r.Stats().Up {
		t.Error("it does not answer any more")
	}
}

// TestCachePurge holds that purges reach all instances: those that listen,
// those whose connections are cut, and those of a server that was restarted.
func TestCachePurge(t *testing.T) {
	programs(t, func(t *testing.T, program redistest.Program) {
		server := program.Start(t)
		ra, rb := remote(t, server.URL), remote(t, server.URL)
		a, b := process(t, ra), process(t, rb)
		purge := func(name, tag string) {
			t.Helper()
			shelve(t, a, ra, "x", tag)
			eventually(t, name+": the answer", func() bool { return has(b, "x") })
			since := a.Stamp()
			if err := b.Marks.Purge(background, tag); err != nil {
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
		purge("listening", "model:x")
		purge("again", "model:x")
		purge("strange", "a tag with blanks 12 3 and \x00\xff")
		server.Must("CLIENT KILL TYPE pubsub")
		purge("cut off", "t")
		server.Must("ACL SETUSER default resetchannels")
		server.Must("CLIENT KILL TYPE pubsub")
		purge("polling alone", "t")
		server.Must("ACL SETUSER default allchannels")
		purge("all", cache.All)
		server.Stop()
		eventually(t, "the outage", func() bool { return !ra.Stats().Up && !rb.Stats().Up })
		server.Restart()
		eventually(t, "recovery", func() bool { return ra.Stats().Up && rb.Stats().Up })
		purge("after a restart", "t")
	})
}

// TestCacheLostMarks holds that a server that has lost its marks is told, so that
// whoever comes later knows them, and that purges during an outage arrive.
func TestCacheLostMarks(t *testing.T) {
	server := redistest.Start(t)
	r := remote(t, server.URL)
	c := process(t, r)
	shelve(t, c, r, "x", "t")
	shelve(t, c, r, "y", "u")
	if err := c.Marks.Purge(background, "t"); err != nil {
		t.Fatal(err)
	}
	// The server forgets the marks and not the answers.
	server.Must("DEL " + r.marks("tags") + " " + r.marks("token"))
	eventually(t, "the marks", func() bool { return server.Must("HLEN "+r.marks("tags")) == ":1" })
	r.breaker.Trip()
	if err := c.Marks.Purge(background, "u"); err == nil {
		t.Error("a purge that cannot be told is no error")
	}
	eventually(t, "the marks", func() bool { return server.Must("HLEN "+r.marks("tags")) == ":2" })
	late := process(t, remote(t, server.URL))
	for _, request := range []string{"x", "y"} {
		if has(late, request) {
			t.Errorf("%s is found by one that comes later", request)
		}
	}
}

// TestCacheManyTags holds that the server's marks stay few, and that what was
// purged stays dead.
func TestCacheManyTags(t *testing.T) {
	server := redistest.Start(t)
	r := remote(t, server.URL)
	c := process(t, r)
	shelve(t, c, r, "x", "tag 17")
	var tags []string
	for i := range maxTags + 100 {
		tags = append(tags, fmt.Sprint("tag ", i))
	}
	if err := c.Marks.Purge(background, tags...); err != nil {
		t.Fatal(err)
	}
	if n := server.Must("HLEN " + r.marks("tags")); len(n) > len(":1000") {
		t.Errorf("%s marks", n)
	}
	late := process(t, remote(t, server.URL))
	if has(late, "x") {
		t.Error("a purge is forgotten")
	}
}

// TestCacheQueue holds that what cannot be sent in time is dropped and never
// keeps a request waiting.
func TestCacheQueue(t *testing.T) {
	server := redistest.Start(t)
	r := remote(t, server.URL)
	server.Pause()
	const size = 1 << 20
	taken := 0
	for i := range 200 {
		if r.Put(keyOf(fmt.Sprint(i)), time.Hour, size, func() []byte { return make([]byte, size) }) {
			taken++
		}
		if w := r.outbox.Waiting(); w > cache.MaxWaiting {
			t.Fatalf("%d bytes wait", w)
		}
	}
	if taken > cache.MaxWaiting/size || taken == 0 {
		t.Errorf("%d of 200 wait", taken)
	}
	server.Resume()
	eventually(t, "the queue", func() bool { return r.outbox.Waiting() == 0 })
}

func collect(f cache.Flight, from int) (all []string, err error) {
	for b, err := range f.Follow(background, from) {
		if err != nil {
			return all, err
		}
		all = append(all, string(b))
	}
	return all, nil
}

// TestFlight holds that one instance owns a call and that others follow it, from
// wherever they come in.
func TestFlight(t *testing.T) {
	programs(t, func(t *testing.T, program redistest.Program) {
		server := program.Start(t)
		flights(t, remote(t, server.URL), remote(t, server.URL))
	})
}

func flights(t *testing.T, a, b *Cache) {
	for round := range 5 {
		key := keyOf(fmt.Sprint("round ", round))
		own, err := a.Claim(background, key, 2*time.Second)
		if err != nil || !own.Own() {
			t.Fatalf("%v", err)
		}
		const n = 300
		var want []string
		for i := range n {
			want = append(want, fmt.Sprint("record ", i, "\x00\r\n"))
		}
		half := make(chan struct{})
		var all sync.WaitGroup
		for i := range 6 {
			follower, err := []*Cache{a, b}[i%2].Claim(background, key, time.Second)
			if err != nil || follower.Own() {
				t.Fatalf("a second owner: %v", err)
			}
			all.Go(func() {
				if i >= 3 {
					<-half
				}
				from := i * 10
				got, err := collect(follower, from)
				if err != nil || fmt.Sprint(got) != fmt.Sprint(want[from:]) {
					t.Errorf("follower %d: %d records, %v", i, len(got), err)
				}
			})
		}
		for i, record := range want {
			own.Append([]byte(record))
			if i == n/2 {
				close(half)
			}
		}
		own.End(true)
		own.End(true)
		all.Wait()
		// It is over, and the next one is another.
		again, err := b.Claim(background, key, time.Second)
		if err != nil || !again.Own() {
			t.Fatalf("%v", err)
		}
		again.End(false)
	}
}

// TestFlightLost holds that followers are told when the rest will not come.
func TestFlightLost(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *redistest.Server, *Cache, cache.Flight){
		"given up":        func(_ *testing.T, _ *redistest.Server, _ *Cache, f cache.Flight) { f.End(false) },
		"its owner died":  func(_ *testing.T, _ *redistest.Server, owner *Cache, _ cache.Flight) { _ = owner.Close() },
		"the server died": func(_ *testing.T, server *redistest.Server, _ *Cache, _ cache.Flight) { server.Stop() },
		"flushed":         func(_ *testing.T, server *redistest.Server, _ *Cache, _ cache.Flight) { server.Must("FLUSHALL") },
		"too long": func(_ *testing.T, _ *redistest.Server, _ *Cache, f cache.Flight) {
			f.Append(make([]byte, maxLog))
			f.End(true)
		},
		"a record is missing": func(_ *testing.T, server *redistest.Server, owner *Cache, f cache.Flight) {
			log := f.(*flight).log
			server.Must(fmt.Sprintf("XADD %s 7-0 r x", log))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			a, b := remote(t, server.URL), remote(t, server.URL)
			own, err := a.Claim(background, keyOf("x"), 500*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			follower, err := b.Claim(background, keyOf("x"), time.Second)
			if err != nil || follower.Own() {
				t.Fatal(err)
			}
			own.Append([]byte("first"))
			var got []string
			for record, err := range follower.Follow(background, 0) {
				if err != nil {
					if !errors.Is(err, cache.ErrLost) {
						t.Error(err)
					}
					got = append(got, "lost")
					break
				}
				got = append(got, string(record))
				lose(t, server, a, own)
			}
			if fmt.Sprint(got) != "[first lost]" {
				t.Errorf("%q", got)
			}
			own.End(false)
		})
	}
}

// TestFlightLease holds that a claim outlives its ttl while it is held, that its
// holder learns when it is gone, and that a follower can leave.
func TestFlightLease(t *testing.T) {
	server := redistest.Start(t)
	a := remote(t, server.URL)
	own, err := a.Claim(background, keyOf("x"), 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	follower, err := a.Claim(background, keyOf("x"), time.Second)
	if err != nil || follower.Own() {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(background, 900*time.Millisecond)
	defer cancel()
	for _, err := range follower.Follow(ctx, 0) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if other, err := a.Claim(background, keyOf("x"), time.Second); err != nil || other.Own() {
		t.Errorf("the claim was not renewed: %v", err)
	}
	server.Must("DEL " + a.name(keyOf("x"), "lease"))
	select {
	case <-own.Lost():
	case <-time.After(20 * time.Second):
		t.Error("its owner does not learn that the lease is gone")
	}
	own.Append([]byte("x"))
	own.End(true)
}

// TestCacheCluster does all that on three nodes.
func TestCacheCluster(t *testing.T) {
	cluster := redistest.All(t)[0].StartCluster(t, 3)
	ra, rb := remote(t, cluster.Nodes[0].URL), remote(t, cluster.Nodes[2].URL)
	a, b := process(t, ra), process(t, rb)
	for i := range 30 {
		shelve(t, a, ra, fmt.Sprint(i), "t")
	}
	for i := range 30 {
		if !has(b, fmt.Sprint(i)) {
			t.Errorf("answer %d is not found", i)
		}
	}
	spread := 0
	for _, node := range cluster.Nodes {
		if node.Must("DBSIZE") != ":0" {
			spread++
		}
	}
	if spread != 3 {
		t.Errorf("the answers are on %d of 3 nodes", spread)
	}
	if err := a.Marks.Purge(background, "t"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the purge", func() bool {
		_, there := b.Get(keyOf("7"), "a")
		return !there
	})
	flights(t, ra, rb)
}

// TestCacheReload holds that a reload keeps the cache's connections, whatever it
// changes about limits.
func TestCacheReload(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("WEIR_TEST_REDIS", server.URL)
	load := func(change func(*Module)) (*Module, cache.Remote) {
		m := &Module{URL: "{env.WEIR_TEST_REDIS}"}
		change(m)
		ctx, cancel := caddy.NewContext(caddy.Context{Context: background})
		t.Cleanup(cancel)
		if err := m.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		r, err := m.Remote()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := m.Remote(); again != r {
			t.Error("another one")
		}
		return m, r
	}
	first, r := load(func(*Module) {})
	second, same := load(func(m *Module) { m.Mode = modeLeased })
	third, other := load(func(m *Module) { m.Prefix = "other" })
	if same != r || other == r {
		t.Errorf("same %t, other %t", same == r, other != r)
	}
	_ = first.Cleanup()
	eventually(t, "connecting", func() bool { return r.Stats().Up })
	_ = second.Cleanup()
	_ = third.Cleanup()
	if r.Stats().Up || r.(*Cache).background.Err() == nil {
		t.Error("it is connected when nobody uses it")
	}
}
