package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/internal/breaker"
	"github.com/weirproxy/weir/internal/pgtest"
)

// instance is a gateway with an index of its own.
func instance(t *testing.T, url, secret string) (*semantic.Shared, *Cache) {
	t.Helper()
	r := remote(t, url)
	return semantic.NewShared(semantic.New(semantic.Options{}), r, []byte(secret)), r
}

// TestRows has instances of a fleet find each other's rows, in their partition
// alone, without pgvector.
func TestRows(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database("a")
	a, through := instance(t, url, "secret")
	if through.vectors.Load() != nil {
		t.Skip("NOT TESTED: this server has pgvector")
	}
	b, _ := instance(t, url, "secret")
	stranger, _ := instance(t, url, "another")
	p, other := semantic.Partition{1}, semantic.Partition{2}
	features := semantic.Read("How do I reset my password?")
	row := semantic.Row{Key: cache.Key{1, 2, 3}, Vector: []float32{3, 4, 0}, Features: features, Expires: time.Now().Add(time.Hour)}
	if err := a.Add(p, row); err != nil {
		t.Fatal(err)
	}
	q := &semantic.Query{Vector: []float32{3, 4.1, 0}, Features: features}
	eventually(t, "the row", func() bool {
		got, ok := b.Search(background, p, q, 0.95)
		return ok && got.Key == row.Key && got.Similarity > 0.99
	})
	for _, threshold := range []float32{-1, 0, 0.9} {
		if got, ok := b.Search(background, other, q, threshold); ok {
			t.Errorf("%v from another partition", got)
		}
	}
	if got, ok := stranger.Search(background, p, q, 0.95); ok {
		t.Errorf("a row of another secret counts: %v", got)
	}
	rows, first, err := through.Rows(background, p, "", 10)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows, _, err := through.Rows(background, p, first, 10); err != nil || len(rows) != 0 {
		t.Errorf("after the last: %d rows, %v", len(rows), err)
	}
	// The same key again takes the place of the old one, as the newest.
	if err := through.sendRows([]rowPut{{partition: p, key: row.Key, row: []byte("older"), until: row.Expires}, {partition: p, key: row.Key, row: []byte("newer"), until: row.Expires}}); err != nil {
		t.Fatal(err)
	}
	if rows, last, err := through.Rows(background, p, first, 10); err != nil || len(rows) != 1 || string(rows[0]) != "newer" || last == first {
		t.Errorf("%q %s %v", rows, last, err)
	}
	if rows, _, _ := through.Rows(background, p, "", 10); len(rows) != 1 {
		t.Errorf("%d rows of one key", len(rows))
	}
	server.Exec("a", `UPDATE weir_cache_rows SET "expires" = now()`)
	if rows, _, err := through.Rows(background, p, "", 10); err != nil || len(rows) != 0 {
		t.Errorf("after their time: %d rows, %v", len(rows), err)
	}
	if _, _, err := through.Rows(background, p, "1-0", 10); err == nil {
		t.Error("a place of another store is read")
	}
}

// TestRowsBounded holds that a partition does not grow without end, that its
// newest rows stay, and that one read is a part.
func TestRowsBounded(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	p, until := semantic.Partition{1}, time.Now().Add(time.Hour)
	const more = 500
	for first := 0; first < maxRows+more; first += 100 {
		var all []rowPut
		for i := first; i < first+100; i++ {
			all = append(all, rowPut{partition: p, key: keyOf(fmt.Sprint(i)), row: fmt.Append(nil, i), until: until})
		}
		if err := r.sendRows(append(all, rowPut{partition: semantic.Partition{byte(first), 2}, key: keyOf("alone"), row: []byte("alone"), until: until})); err != nil {
			t.Fatal(err)
		}
	}
	// Rows of one delivery are in no order.
	n := server.Exec("a", `SELECT count(*), min(convert_from("row", 'UTF8')::int) FROM weir_cache_rows WHERE "row" <> 'alone'`)
	var count, least int
	if _, err := fmt.Sscanf(n, "%d|%d", &count, &least); err != nil || count != maxRows || least < more-100 || least > more+100 {
		t.Errorf("%s rows, from the oldest", n)
	}
	if n := server.Exec("a", `SELECT count(*) FROM weir_cache_rows WHERE "row" = 'alone'`); n != "25" {
		t.Errorf("%s rows of other partitions", n)
	}
	rows, _, err := r.Rows(background, p, "", 7)
	if err != nil || len(rows) != 7 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// TestRowsAway holds that without the server the index goes on, and nobody waits.
func TestRowsAway(t *testing.T) {
	server := pgtest.Start(t)
	r := remote(t, server.Database("a"))
	s := semantic.NewShared(semantic.New(semantic.Options{}), r, nil)
	p := semantic.Partition{1}
	row := semantic.Row{Key: cache.Key{1}, Vector: []float32{1, 0}, Expires: time.Now().Add(time.Hour)}
	server.Stop()
	r.breaker.Trip()
	if _, _, err := r.Rows(background, p, "", 1); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
	if _, known, err := r.Find(background, p, []float32{1, 0}, 1); known || !errors.Is(err, errAway) {
		t.Errorf("got %t %v", known, err)
	}
	if r.AppendRow(p, cache.Key{}, nil, []byte("row"), time.Hour) {
		t.Error("a row was taken")
	}
	if err := s.Add(p, row); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Search(background, p, &semantic.Query{Vector: []float32{1, 0}}, 0.9); !ok || got.Key != row.Key {
		t.Errorf("got %v %v", got, ok)
	}
}

// TestVectors has a database with pgvector find rows: in their partition alone,
// above the threshold, and not those that the guard forbids, though it knows
// nothing of guards.
func TestVectors(t *testing.T) {
	server := pgtest.StartVector(t)
	url := server.Database("a")
	a, ra := instance(t, url, "")
	b, rb := instance(t, url, "")
	if ra.vectors.Load() == nil || rb.vectors.Load() == nil {
		t.Fatal("pgvector is not noticed")
	}
	r := rand.New(rand.NewPCG(1, 2))
	random := func() []float32 {
		v := make([]float32, 384)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	wanted := random()
	near := append([]float32(nil), wanted...)
	near[0]++
	until := time.Now().Add(time.Hour)
	one, two := semantic.Partition{1}, semantic.Partition{2}
	add := func(p semantic.Partition, row semantic.Row) {
		t.Helper()
		row.Expires = until
		if err := a.Add(p, row); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the rows", func() bool { return len(ra.rows) < maxRowPuts })
	}
	for i := range 300 {
		// The other partition is full of what is wanted here: it must not take the
		// places of this one's rows.
		p, v := one, random()
		if i%2 == 0 {
			p, v = two, wanted
		}
		add(p, semantic.Row{Key: cache.Key{1, byte(i), byte(i >> 8)}, Vector: v})
	}
	text := semantic.Read("What is 3 minus 10?")
	add(one, semantic.Row{Key: cache.Key{9, 0}, Vector: wanted, Features: semantic.Read("What is 10 minus 3?")})
	add(one, semantic.Row{Key: cache.Key{9, 1}, Vector: near, Features: text})
	q := &semantic.Query{Vector: wanted, Features: text}
	eventually(t, "the row", func() bool {
		got, ok := b.Search(background, one, q, 0.95)
		if ok && got.Key != (cache.Key{9, 1}) {
			t.Fatalf("found %v", got)
		}
		return ok
	})
	if got, ok := b.Search(background, semantic.Partition{4}, q, 0.5); ok {
		t.Errorf("%v from another partition", got)
	}
	rows, known, err := rb.Find(background, one, wanted, 2)
	if !known || err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %t, %v", len(rows), known, err)
	}
	// Sizes do not meet, whatever else they have in common.
	if err := ra.sendRows([]rowPut{{partition: one, key: cache.Key{8}, vector: []float32{1, 0}, row: []byte("row"), until: until}}); err != nil {
		t.Fatal(err)
	}
	if rows, known, err := rb.Find(background, one, wanted, 2); len(rows) != 2 || !known || err != nil {
		t.Errorf("%d rows, %t, %v", len(rows), known, err)
	}
	if rows, known, err := rb.Find(background, one, make([]float32, maxDims+1), 2); len(rows) != 0 || known || err != nil {
		t.Errorf("too long a vector: %d rows, %t, %v", len(rows), known, err)
	}
	server.Exec("a", `UPDATE weir_cache_rows SET "expires" = now()`)
	if rows, known, err := rb.Find(background, one, wanted, 2); len(rows) != 0 || !known || err != nil {
		t.Errorf("after their time: %d rows, %t, %v", len(rows), known, err)
	}
}

// TestVectorsOfOtherSizes holds that an embedder may give vectors of another size from
// some moment on, also where an instance that does not know of pgvector writes.
func TestVectorsOfOtherSizes(t *testing.T) {
	server := pgtest.StartVector(t)
	url := server.Database("a")
	p, r := semantic.Partition{1}, remote(t, url)
	on := func(r *Cache) *semantic.Shared { return semantic.NewShared(semantic.New(semantic.Options{}), r, nil) }
	add := func(key byte, vector ...float32) {
		t.Helper()
		writer := on(r)
		eventually(t, "the row", func() bool {
			if err := writer.Add(p, semantic.Row{Key: cache.Key{key}, Vector: vector, Expires: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			return server.Exec("a", fmt.Sprintf(`SELECT count(*) FROM weir_cache_rows WHERE get_byte("key", 0) = %d AND "dims" = %d`, key, len(vector))) == "1"
		})
	}
	finds := func(vector ...float32) (key byte) {
		t.Helper()
		got, _ := on(r).Search(background, p, &semantic.Query{Vector: vector}, 0.9)
		return got.Key[0]
	}
	add(1, 1, 0)
	if got := finds(1, 0, 0); got != 0 {
		t.Errorf("%d is found by a longer vector", got)
	}
	add(2, 1, 0, 0)
	if short, long := finds(1, 0), finds(1, 0, 0); short != 1 || long != 2 {
		t.Errorf("found %d and %d, want 1 and 2", short, long)
	}
	add(1, 0, 1, 0) // the same request, asked again
	if short, long := finds(1, 0), finds(0, 1, 0); short != 0 || long != 1 {
		t.Errorf("found %d and %d, want none and 1", short, long)
	}
	known := r.vectors.Swap(nil)
	add(2, 1, 0)
	r.vectors.Store(known)
	if _, known, err := r.Find(background, p, []float32{1, 0}, 1); !known || err != nil {
		t.Errorf("after one who knows nothing of pgvector: %t, %v", known, err)
	}
	add(3, 1, 0)
	if short := finds(1, 0); short != 3 {
		t.Errorf("found %d, want 3", short)
	}
}

// TestVectorsAway holds that a search in a server that is away, or hangs, costs no more
// than the deadline, and that it goes on when the server is back.
func TestVectorsAway(t *testing.T) {
	for _, way := range away[:2] {
		t.Run(way.name, func(t *testing.T) {
			server := pgtest.StartVector(t)
			url := server.Database("a")
			a, ra := instance(t, url, "")
			b, rb := instance(t, url, "")
			p := semantic.Partition{1}
			add := func(key byte, vector ...float32) {
				t.Helper()
				// A crash takes what was written last.
				eventually(t, "the row", func() bool {
					if err := a.Add(p, semantic.Row{Key: cache.Key{key}, Vector: vector, Expires: time.Now().Add(time.Hour)}); err != nil {
						t.Fatal(err)
					}
					got, ok := b.Search(background, p, &semantic.Query{Vector: vector}, 0.99)
					return ok && got.Key == cache.Key{key}
				})
			}
			add(1, 1, 0)
			ra.deadline.Store(int64(DefaultDeadline))
			rb.deadline.Store(int64(DefaultDeadline))
			way.down(server)
			for range 2 * breaker.Threshold {
				begun := time.Now()
				if got, ok := b.Search(background, p, &semantic.Query{Vector: []float32{0, 1}}, 0.99); ok {
					t.Errorf("%v of a server that is away", got)
				}
				// The margin is the machine's: without the deadline it would be forever.
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("waited %s", took)
				}
			}
			if rb.breaker.Allow() {
				t.Error("the breaker is closed")
			}
			if got, ok := b.Search(background, p, &semantic.Query{Vector: []float32{1, 0}}, 0.99); !ok || got.Key != (cache.Key{1}) {
				t.Error("what is known is not found")
			}
			way.back(server)
			for _, r := range []*Cache{ra, rb} {
				r.deadline.Store(int64(5 * time.Second))
				eventually(t, "recovery", func() bool { return r.breaker.Allow() && r.vectors.Load() != nil })
			}
			add(2, 0, 1)
		})
	}
}

// TestVectorsChange holds that an extension may come and go while instances run,
// and be in another schema, and that whoever may not make it reads rows.
func TestVectorsChange(t *testing.T) {
	server := pgtest.StartVector(t)
	url := server.Database("a")
	server.Exec("a", `CREATE ROLE limited LOGIN; CREATE SCHEMA own AUTHORIZATION limited; CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO limited`)
	limited := strings.Replace(url, "weir@", "limited@", 1) + "&search_path=own"
	a, ra := instance(t, limited, "")
	b, rb := instance(t, limited, "")
	if ra.vectors.Load() != nil {
		t.Error("one who may not made it")
	}
	p := semantic.Partition{1}
	shared := func(n byte) {
		t.Helper()
		row := semantic.Row{Key: cache.Key{5, n}, Vector: []float32{1, float32(n)}, Expires: time.Now().Add(time.Hour)}
		eventually(t, fmt.Sprint("row ", n), func() bool {
			// The first one may be lost to the attempt.
			if err := a.Add(p, row); err != nil {
				t.Fatal(err)
			}
			got, ok := b.Search(background, p, &semantic.Query{Vector: row.Vector}, 0.999)
			return ok && got.Key == row.Key
		})
	}
	shared(1)
	server.Exec("a", "CREATE EXTENSION vector SCHEMA extensions")
	server.Exec("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'a'")
	for _, r := range []*Cache{ra, rb} {
		eventually(t, "pgvector", func() bool {
			r.breaker.Trip() // as after an outage
			r.kick()
			return r.vectors.Load() != nil
		})
		eventually(t, "recovery", r.breaker.Allow)
	}
	shared(5)
	if n := server.Exec("a", `SELECT count(*) FROM own.weir_cache_rows WHERE "vector" IS NOT NULL`); n == "0" {
		t.Error("vectors are not kept")
	}
	server.Exec("a", "DROP EXTENSION vector CASCADE")
	shared(50)
	eventually(t, "the loss to be noticed", func() bool {
		_, _, _ = ra.Find(background, p, []float32{1, 0}, 1)
		return ra.vectors.Load() == nil
	})
}
