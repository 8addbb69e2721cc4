package postgres

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/breaker"
	"github.com/weirproxy/weir/internal/pgtest"
)

func TestGetPut(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	process(t, r)
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
	if ttl := server.Exec("a", `SELECT "expires" - now() BETWEEN interval '59 minutes' AND interval '60 minutes' FROM weir_cache_answers`); ttl != "t" {
		t.Errorf("its life: %s", ttl)
	}
	if _, err := r.Claim(background, keyOf("x"), time.Second); err == nil {
		t.Error("a claim that nobody could follow")
	}
}

// TestShared holds that two instances find each other's answers, each in its
// scope, and that other prefixes are other caches.
func TestShared(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	ra, rb := remote(t, url), remote(t, url)
	a, b := process(t, ra), process(t, rb)
	other := process(t, remote(t, url, func(o *Options) { o.Prefix = "other" }))
	server.Exec("a", "CREATE SCHEMA elsewhere")
	schema := process(t, remote(t, url+"&search_path=elsewhere"))
	shelve(t, a, ra, "x")
	if !has(b, "x") {
		t.Error("the other instance does not find it")
	}
	if _, ok := b.Fetch(background, keyOf("x"), "another scope"); ok {
		t.Error("another scope finds it")
	}
	if has(other, "x") || has(schema, "x") {
		t.Error("another prefix or schema finds it")
	}
}

// TestExpiry holds that what has expired is not found, and deleted, a part at a
// time and by one instance.
func TestExpiry(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	process(t, r)
	r.Put(keyOf("x"), time.Hour, 1, func() []byte { return []byte("x") })
	eventually(t, "the value", func() bool { return r.Stats().Puts == 1 })
	if err := r.sweepAll(); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Get(background, keyOf("x"), 9); string(b) != "x" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	server.Exec("a", `UPDATE weir_cache_answers SET "expires" = now() - interval '1 ms'`)
	if b, err := r.Get(background, keyOf("x"), 9); b != nil || err != nil {
		t.Errorf("found after its time: %q %v", b, err)
	}
	server.Exec("a", fmt.Sprintf(`INSERT INTO weir_cache_answers SELECT sha256(i::text::bytea), now() - interval '1 ms', 'x' FROM generate_series(1, %d) i`, 2*sweepRows+7))
	server.Exec("a", `INSERT INTO weir_cache_rows ("partition", "key", "expires", "dims", "row") VALUES ('p', 'old', now() - interval '1 ms', 0, ''), ('p', 'new', now() + interval '1 h', 0, '')`)
	server.Exec("a", `INSERT INTO weir_cache_marks VALUES ('old', 'old', 1, 0, now() - interval '32 days'), ('new', 'new', 1, 0, now() - interval '30 days')`)
	// Another instance is at it.
	conn, err := r.pool.Acquire(background)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(background, "SELECT pg_advisory_lock($1)", r.names.schema.Lock+1); err != nil {
		t.Fatal(err)
	}
	if err := r.sweepAll(); err != nil {
		t.Fatal(err)
	}
	if n := server.Exec("a", "SELECT count(*) FROM weir_cache_answers"); n != fmt.Sprint(2*sweepRows+8) {
		t.Errorf("%s answers are left while another instance deletes", n)
	}
	if _, err := conn.Exec(background, "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	if more, err := r.sweepSome(r.names.sweeps[0]); !more || err != nil {
		t.Errorf("%t %v", more, err)
	}
	if n := server.Exec("a", "SELECT count(*) FROM weir_cache_answers"); n != fmt.Sprint(sweepRows+8) {
		t.Errorf("%s answers are left after one part", n)
	}
	if err := r.sweepAll(); err != nil {
		t.Fatal(err)
	}
	if left := server.Exec("a", `SELECT (SELECT count(*) FROM weir_cache_answers), (SELECT string_agg("key"::text, '') FROM weir_cache_rows), (SELECT string_agg("id"::text, '') FROM weir_cache_marks)`); left != `0|\x6e6577|\x6e6577` {
		t.Errorf("left: %s", left)
	}
}

// away are the ways in which a server can be gone.
var away = []struct {
	name       string
	down, back func(*pgtest.Server)
}{
	{"killed", func(s *pgtest.Server) { s.Stop() }, func(s *pgtest.Server) { s.Restart() }},
	{"hanging", func(s *pgtest.Server) { s.Pause() }, func(s *pgtest.Server) { s.Resume() }},
	{"locked", func(s *pgtest.Server) { s.Hold("a", "LOCK TABLE weir_cache_answers IN ACCESS EXCLUSIVE MODE") }, (*pgtest.Server).LetGo},
}

// TestAway holds that a server that is away, or too slow, is a miss within the
// deadline, that it is left alone then, and that all comes back by itself (K09).
func TestAway(t *testing.T) {
	for _, way := range away {
		t.Run(way.name, func(t *testing.T) {
			server := pgtest.Start(t)
			r := remote(t, server.Database("a"))
			c := process(t, r)
			shelve(t, c, r, "x")
			r.deadline.Store(int64(DefaultDeadline))
			way.down(server)
			for i := range 3 * breaker.Threshold {
				begun := time.Now()
				if _, ok := c.Fetch(background, keyOf(fmt.Sprint("not here ", i)), "a"); ok {
					t.Error("a hit of a server that is away")
				}
				c.Put(keyOf(fmt.Sprint(i)), "a", answer("b"), c.Stamp(), hour)
				if _, _, err := r.Rows(background, [32]byte{1}, "", 1); err == nil && way.name != "locked" {
					t.Error("rows of a server that is away")
				}
				// The margin is the machine's: without the deadline it would be forever.
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("request %d waited %s", i, took)
				}
			}
			if way.name == "locked" {
				// Rows are there, so that not all fail in a row.
				for range breaker.Threshold {
					_, _ = r.Get(background, keyOf("y"), 1)
				}
				if err := r.look(); err == nil {
					t.Error("it is used again, and slow")
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
			// A crash takes what was written within half a second before it.
			if late := process(t, r); !has(late, "y") || way.name != "killed" && !has(late, "x") {
				t.Error("not all is found after the outage")
			}
		})
	}
}

// TestSlow holds that a server which answers, and slower than the deadline, stays
// away until it is faster.
func TestSlow(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	c := process(t, r)
	shelve(t, c, r, "x")
	r.deadline.Store(1) // no server is that fast
	for range 2 * breaker.Threshold {
		if _, ok := c.Fetch(background, keyOf("y"), "a"); ok {
			t.Error("a hit that is too late")
		}
	}
	if r.breaker.Allow() {
		t.Error("the breaker is closed")
	}
	probes := r.pool.Stat().AcquireCount()
	eventually(t, "more probes", func() bool {
		if r.breaker.Allow() {
			t.Fatal("it is used again, and slow")
		}
		return r.pool.Stat().AcquireCount() > probes+10
	})
	r.deadline.Store(int64(5 * time.Second))
	eventually(t, "recovery", func() bool { return r.Stats().Up && has(process(t, r), "x") })
}

// TestNoServer holds that a server which is not there at first is no failure.
func TestNoServer(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	server.Stop()
	r := apart(t, url)
	if _, err := r.Get(background, keyOf("x"), 1); err == nil {
		t.Error("an answer of nobody")
	}
	if r.Put(keyOf("x"), time.Hour, 1, func() []byte { return nil }) {
		t.Error("taken for nobody")
	}
	server.Restart()
	c := process(t, r)
	shelve(t, c, r, "x")
	if !has(c, "x") {
		t.Error("not found")
	}
}

// TestUnwritable holds that a server that takes no writes goes on answering, and
// that no request fails or waits for it.
func TestUnwritable(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	c := process(t, r)
	shelve(t, c, r, "x", "t")
	server.Exec("a", "ALTER DATABASE a SET default_transaction_read_only = on")
	server.Exec("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'a'")
	eventually(t, "the refusal", func() bool {
		c.Put(keyOf("y"), "a", answer("y"), c.Stamp(), hour)
		return r.refusing.Load() > 0
	})
	eventually(t, "reading", func() bool { return r.Stats().Up })
	if r.refusing.Store(time.Now().Add(time.Minute).UnixNano()); r.Put(keyOf("z"), time.Hour, 1, func() []byte { return []byte("z") }) {
		t.Error("it is sent more")
	}
	eventually(t, "reading", func() bool { return has(process(t, r), "x") })
	if err := c.Marks.Purge(background, "t"); err == nil {
		t.Error("a purge that is not told is no error")
	}
	if has(c, "x") {
		t.Error("purged, and found")
	}
	r.refusing.Store(0)
	server.Exec("postgres", "ALTER DATABASE a SET default_transaction_read_only = off")
	server.Exec("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'a'")
	other := process(t, remote(t, server.URL("a")))
	eventually(t, "the purge", func() bool { return !has(other, "x") })
	shelve(t, c, r, "z")
}

// TestTampered holds that a value that was changed, moved, or made by somebody
// else is a miss.
func TestTampered(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	r := remote(t, url)
	c := process(t, r)
	for name, change := range map[string]string{
		"changed": `UPDATE weir_cache_answers SET "value" = set_byte("value", length("value") - 1, get_byte("value", length("value") - 1) # 1)`,
		"cut":     `UPDATE weir_cache_answers SET "value" = substring("value" from 1 for length("value") - 1)`,
		"empty":   `UPDATE weir_cache_answers SET "value" = ''`,
		"planted": `UPDATE weir_cache_answers SET "value" = 'WA' || repeat('x', 500)::bytea`,
		"swapped": `WITH a AS (SELECT * FROM weir_cache_answers) UPDATE weir_cache_answers b SET "value" = a."value" FROM a WHERE a."key" <> b."key"`,
	} {
		t.Run(name, func(t *testing.T) {
			shelve(t, c, r, "x")
			shelve(t, c, r, "y")
			if fresh := process(t, r); !has(fresh, "x") || !has(fresh, "y") {
				t.Fatal("not there")
			}
			server.Exec("a", change)
			fresh := process(t, r)
			for _, request := range []string{"x", "y"} {
				if hit, ok := fresh.Fetch(background, keyOf(request), "a"); ok {
					t.Errorf("%s: %q", request, hit.Form.Body)
				}
			}
			if !r.Stats().Up {
				t.Error("the store is away")
			}
		})
	}
}

// TestWriters has instances write the same answers in different orders, again
// and again: none may keep the others from writing.
func TestWriters(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	const instances, writers, rounds, keys = 3, 4, 30, 40
	var all sync.WaitGroup
	var stores []*Cache
	for range instances {
		stores = append(stores, remote(t, url))
		process(t, stores[len(stores)-1])
	}
	for i, r := range stores {
		for w := range writers {
			all.Go(func() {
				for n := range rounds {
					for k := range keys {
						key := (k*(2*w+3) + n*i) % keys
						r.Put(keyOf(fmt.Sprint(key)), time.Hour, 100, func() []byte { return fmt.Appendf(nil, "%d of %d", key, i) })
						r.AppendRow([32]byte{byte(key % 5)}, keyOf(fmt.Sprint(key)), nil, []byte("row"), time.Hour)
						if b, err := r.Get(background, keyOf(fmt.Sprint(key)), 100); err != nil || b != nil && !strings.HasPrefix(string(b), fmt.Sprint(key, " of ")) {
							t.Errorf("%q %v", b, err)
						}
					}
				}
			})
		}
	}
	all.Wait()
	for _, r := range stores {
		eventually(t, "the queue", func() bool { return r.outbox.Waiting() == 0 })
		// What a slow machine does not write in time is refused, too.
		if s := r.Stats(); s.Failed != 0 || s.Puts <= s.Refused || !s.Up {
			t.Errorf("%+v", s)
		}
	}
	if n := server.Exec("a", "SELECT count(*) FROM weir_cache_answers"); n != fmt.Sprint(keys) {
		t.Errorf("%s answers", n)
	}
	if n := server.Exec("a", "SELECT deadlocks FROM pg_stat_database WHERE datname = 'a'"); n != "0" {
		t.Errorf("%s deadlocks", n)
	}
}

// TestQueue holds that what cannot be sent in time is dropped and never keeps a
// request waiting.
func TestQueue(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	process(t, r)
	server.Pause()
	defer server.Resume()
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
	if n := r.Stats().Dropped; n != int64(200-taken) && r.breaker.Allow() {
		t.Errorf("%d dropped of %d", n, 200-taken)
	}
	rows := 0
	for range 2 * maxRowPuts {
		if r.AppendRow([32]byte{1}, cache.Key{}, nil, []byte("row"), time.Hour) {
			rows++
		}
	}
	// Some are on their way already.
	if rows > maxRowPuts+rowsTogether {
		t.Errorf("%d rows wait", rows)
	}
	server.Resume()
	eventually(t, "the queue", func() bool { return r.outbox.Waiting() == 0 && len(r.rows) == 0 })
}

// TestTogether starts instances at once on an empty database, and takes the
// tables away from under them.
func TestTogether(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	var all []*Cache
	for range 6 {
		all = append(all, apart(t, url))
	}
	var c *cache.Cache
	for _, r := range all {
		c = process(t, r)
	}
	last := all[len(all)-1]
	shelve(t, c, last, "x", "t")
	if err := c.Marks.Purge(background, "t"); err != nil {
		t.Fatal(err)
	}
	server.Exec("a", "DROP TABLE weir_cache_schema, weir_cache_answers, weir_cache_rows, weir_cache_marks, weir_cache_purges")
	eventually(t, "the tables", func() bool {
		return server.Exec("a", "SELECT to_regclass('weir_cache_purges') IS NOT NULL") == "t"
	})
	eventually(t, "recovery", func() bool { return last.Stats().Up })
	// What it has lost it is told.
	eventually(t, "the mark", func() bool { return server.Exec("a", "SELECT count(*) FROM weir_cache_marks") == "1" })
	shelve(t, c, last, "y")
	if !has(process(t, all[0]), "y") {
		t.Error("not found")
	}
	server.Exec("a", "UPDATE weir_cache_schema SET version = 99")
	newer := apart(t, url)
	if err := newer.look(); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("a newer schema: %v", err)
	}
}
