package redis

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/internal/redistest"
)

// fleet returns instances with indexes of their own on one server.
func fleet(t *testing.T, url string, n int) (shared []*semantic.Shared, caches []*Cache) {
	for range n {
		r := remote(t, url)
		shared, caches = append(shared, semantic.NewShared(semantic.New(semantic.Options{}), r, nil)), append(caches, r)
	}
	return shared, caches
}

// TestVectors has a server that can search find rows: in their partition alone,
// above the threshold, and not those that the guard forbids, though it knows
// nothing of guards.
func TestVectors(t *testing.T) {
	server := redistest.StartSearch(t)
	all, caches := fleet(t, server.URL, 2)
	a, b := all[0], all[1]
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
	for i := range 300 {
		// The other partition is full of what is wanted here: it must not take the
		// places of this one's rows.
		p, v := one, random()
		if i%2 == 0 {
			p, v = two, wanted
		}
		if err := a.Add(p, semantic.Row{Key: cache.Key{1, byte(i), byte(i >> 8)}, Vector: v, Expires: until}); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			eventually(t, "the rows", func() bool { return len(caches[0].rowPuts) == 0 })
		}
	}
	text := semantic.Read("What is 3 minus 10?")
	for k, row := range []semantic.Row{
		{Vector: wanted, Features: semantic.Read("What is 10 minus 3?")}, {Vector: near, Features: text},
	} {
		row.Key, row.Expires = cache.Key{9, byte(k)}, until
		if err := a.Add(one, row); err != nil {
			t.Fatal(err)
		}
	}
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
	if n := server.Must("EXISTS " + caches[0].rows(one)); !strings.HasPrefix(n, ":0") {
		t.Errorf("the stream is kept too: %s", n)
	}
	_, rows := caches[0].vectors(384)
	name := rows + hex.EncodeToString(one[:8]) + hex.EncodeToString((&cache.Key{9, 1})[:])
	if ttl := server.Must("PTTL " + name); ttl < ":3500000" || ttl > ":3600000" {
		t.Errorf("its life is %s", ttl)
	}
	// Another size of vectors has an index of its own.
	small := semantic.Partition{3}
	if got, known, err := caches[1].Find(background, small, []float32{1, 0}, 8); len(got) != 0 || !known || err != nil {
		t.Errorf("no index yet: %d rows, %v, %v", len(got), known, err)
	}
	row := semantic.Row{Key: cache.Key{5}, Vector: []float32{1, 0}, Expires: until}
	if err := a.Add(small, row); err != nil {
		t.Fatal(err)
	}
	found := func() bool {
		got, ok := b.Search(background, small, &semantic.Query{Vector: []float32{1, 0}}, 0.9)
		return ok && got.Key == row.Key
	}
	eventually(t, "the small row", found)
	// A flush takes the indexes; they come again.
	server.Must("FLUSHALL")
	b.Remove(small, row.Key)
	eventually(t, "the small row after a flush", func() bool {
		if err := a.Add(small, row); err != nil {
			t.Fatal(err)
		}
		_, _, _ = caches[0].Find(background, small, []float32{1, 0}, 8)
		return found()
	})
}

// TestVectorsForbidden holds that a user who may not search reads the streams.
func TestVectorsForbidden(t *testing.T) {
	server := redistest.StartSearch(t)
	server.Must("ACL SETUSER weir on >secret ~* &* +@all -FT.SEARCH -FT.CREATE")
	all, caches := fleet(t, strings.Replace(server.URL, "redis://", "redis://weir:secret@", 1), 2)
	p := semantic.Partition{1}
	row := semantic.Row{Key: cache.Key{5}, Vector: []float32{1, 0}, Expires: time.Now().Add(time.Hour)}
	eventually(t, "the row", func() bool {
		// The first one is lost to the attempt.
		if err := all[0].Add(p, row); err != nil {
			t.Fatal(err)
		}
		got, ok := all[1].Search(background, p, &semantic.Query{Vector: []float32{1, 0}}, 0.9)
		return ok && got.Key == row.Key
	})
	if n := server.Must("XLEN " + caches[0].rows(p)); strings.HasPrefix(n, ":0") {
		t.Errorf("the stream has %s", n)
	}
}
