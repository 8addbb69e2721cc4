package semantic

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/clocktest"
)

func newTest(o Options) (*Index, *clocktest.Clock) {
	c := clocktest.New(time.Unix(1_800_000_000, 0))
	o.Now = c.Now
	return New(o), c
}

func key(n int) (k cache.Key) {
	binary.BigEndian.PutUint32(k[:], uint32(n))
	return k
}

func part(n int) (p Partition) {
	binary.LittleEndian.PutUint32(p[:], uint32(n))
	return p
}

// around returns a vector at about the cosine of like.
func around(r *rand.Rand, like []float32, cosine float64) []float32 {
	out := make([]float32, len(like))
	noise := make([]float32, len(like))
	for i := range noise {
		noise[i] = float32(r.NormFloat64())
	}
	n, l := norm(noise), norm(like)
	for i := range out {
		out[i] = float32(cosine*float64(like[i])/l + math.Sqrt(1-cosine*cosine)*float64(noise[i])/n)
	}
	return out
}

func random(r *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func mustAdd(t testing.TB, x *Index, p Partition, k int, v []float32, expires time.Time) {
	t.Helper()
	if err := x.Add(p, Row{Key: key(k), Vector: v, Expires: expires}); err != nil {
		t.Fatal(err)
	}
}

// TestExact compares searches, which rule rows out early, with the plain
// computation: they must find the same row in every space, however crowded.
func TestExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, dims := range []int{1, 7, 16, 63, 64, 65, 100, 128, 200, 256, 384, 1000, 1536, 3072, MaxDims} {
		x, c := newTest(Options{})
		common := random(r, dims)
		const rows = 300
		vectors := make([][]float32, rows)
		for i := range vectors {
			// Half of the rows crowd around one direction, as real embeddings do.
			if vectors[i] = random(r, dims); i%2 == 0 {
				vectors[i] = around(r, common, 0.9+0.0001*float64(i))
			}
			mustAdd(t, x, part(0), i, vectors[i], c.Now().Add(time.Hour))
		}
		for range 15 {
			q := around(r, vectors[r.IntN(rows)], 0.8+0.2*r.Float64())
			best, at := -2.0, 0
			for i, v := range vectors {
				if s := cosine(q, v); s > best {
					best, at = s, i
				}
			}
			got, ok := x.Nearest(part(0), &Query{Vector: q})
			if !ok || math.Abs(float64(got.Similarity)-best) > 1e-5 {
				t.Fatalf("%d dims: nearest %v %v, want %v of %d", dims, got, ok, best, at)
			}
			threshold := float32(best - 2e-5)
			if got, ok := x.Search(part(0), &Query{Vector: q}, threshold); !ok || math.Abs(float64(got.Similarity)-best) > 1e-5 {
				t.Fatalf("%d dims: search %v %v, want %v of %d", dims, got, ok, best, at)
			}
			if best < 0.9999 {
				if got, ok := x.Search(part(0), &Query{Vector: q}, float32(best+2e-5)); ok {
					t.Fatalf("%d dims: %v is below the threshold", dims, got)
				}
			}
		}
	}
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum / norm(a) / norm(b)
}

// TestPartitions holds that the same text in another partition is never looked
// at, at any threshold.
func TestPartitions(t *testing.T) {
	x, c := newTest(Options{})
	v := []float32{3, 4, 0}
	mustAdd(t, x, part(1), 1, v, c.Now().Add(time.Hour))
	for _, threshold := range []float32{-1, 0, 0.5, 1} {
		if got, ok := x.Search(part(2), &Query{Vector: v}, threshold); ok {
			t.Errorf("%v from another partition at %v", got, threshold)
		}
	}
	if got, ok := x.Nearest(part(2), &Query{Vector: v}); ok {
		t.Errorf("nearest %v from another partition", got)
	}
	// Partitions whose first bytes are equal share a shard, nothing else.
	if _, ok := x.Search(part(1+256), &Query{Vector: v}, 0); ok {
		t.Error("found in a partition of the same shard")
	}
	if got, ok := x.Search(part(1), &Query{Vector: []float32{6, 8, 0}}, 1); !ok || got.Key != key(1) {
		t.Errorf("got %v, %v", got, ok)
	}
}

func TestDimensions(t *testing.T) {
	x, c := newTest(Options{})
	mustAdd(t, x, part(1), 1, []float32{1, 0}, c.Now().Add(time.Minute))
	if err := x.Add(part(1), Row{Key: key(2), Vector: []float32{1, 0, 0}, Expires: c.Now().Add(time.Hour)}); !errors.Is(err, ErrDimensions) {
		t.Errorf("got %v", err)
	}
	if _, ok := x.Search(part(1), &Query{Vector: []float32{1, 0, 0}}, 0); ok {
		t.Error("a query of other dimensions found something")
	}
	// Once the old rows have expired, the new dimensions take over.
	c.Add(2 * time.Minute)
	mustAdd(t, x, part(1), 2, []float32{1, 0, 0}, c.Now().Add(time.Hour))
	if _, ok := x.Search(part(1), &Query{Vector: []float32{1, 0, 0}}, 0.9); !ok {
		t.Error("the new dimensions are not found")
	}
}

func TestBadVectors(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x, c := newTest(Options{})
	mustAdd(t, x, part(1), 1, []float32{1, 0}, c.Now().Add(time.Hour))
	for name, v := range map[string][]float32{
		"none": nil, "zero": {0, 0}, "not a number": {nan, 1}, "infinite": {inf, 1}, "long": make([]float32, MaxDims+1),
	} {
		if len(v) > MaxDims {
			v[0] = 1
		}
		if err := x.Add(part(1), Row{Key: key(2), Vector: v, Expires: c.Now().Add(time.Hour)}); !errors.Is(err, ErrVector) {
			t.Errorf("adding %s: %v", name, err)
		}
		if _, ok := x.Search(part(1), &Query{Vector: v}, -1); ok {
			t.Errorf("searching %s found something", name)
		}
	}
	if _, ok := x.Search(part(1), &Query{Vector: []float32{1, 0}}, nan); ok {
		t.Error("a threshold that is no number found something")
	}
	if got, ok := x.Search(part(1), &Query{Vector: []float32{math.MaxFloat32, math.MaxFloat32}}, 0.5); ok {
		t.Errorf("a query of no sensible length found %v", got)
	}
}

func TestExpiryAndReplacement(t *testing.T) {
	x, c := newTest(Options{})
	q := &Query{Vector: []float32{1, 0}}
	mustAdd(t, x, part(1), 1, []float32{1, 0}, c.Now().Add(time.Minute))
	mustAdd(t, x, part(1), 2, []float32{1, 0.3}, c.Now().Add(time.Hour))
	c.Add(time.Minute)
	if got, ok := x.Search(part(1), q, 0.9); !ok || got.Key != key(2) {
		t.Errorf("got %v %v, want the row that has not expired", got, ok)
	}
	mustAdd(t, x, part(1), 2, []float32{0, 1}, c.Now().Add(time.Hour))
	if rows := x.Rows(); rows != 1 {
		t.Errorf("%d rows after a replacement and a sweep", rows)
	}
	if got, ok := x.Search(part(1), q, 0.9); ok {
		t.Errorf("the replaced vector still answers: %v", got)
	}
	mustAdd(t, x, part(1), 2, []float32{0, 1}, c.Now())
	if rows, parts := x.Rows(), partitions(x); rows != 0 || parts != 0 {
		t.Errorf("%d rows in %d partitions after one that has expired replaced the last", rows, parts)
	}
}

func TestGuardPicksAnother(t *testing.T) {
	x, c := newTest(Options{})
	add := func(k int, text string, v ...float32) {
		if err := x.Add(part(1), Row{Key: key(k), Vector: v, Features: Read(text), Expires: c.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	add(1, "What is 10 minus 3?", 1, 0)
	add(2, "What is 3 minus 10?", 1, 0.1)
	q := &Query{Vector: []float32{1, 0}, Features: Read("what's 3 minus 10")}
	if got, ok := x.Search(part(1), q, 0.9); !ok || got.Key != key(2) {
		t.Errorf("got %v %v, want the less similar row that asks for the same", got, ok)
	}
	q.Guard = GuardOff
	if got, ok := x.Search(part(1), q, 0.9); !ok || got.Key != key(1) {
		t.Errorf("without the guard: %v %v", got, ok)
	}
}

// TestBounds holds that there are never more rows than allowed, and that those
// in use outlive the others.
func TestBounds(t *testing.T) {
	x, c := newTest(Options{Entries: 100, PerPartition: 10})
	r := rand.New(rand.NewPCG(3, 4))
	kept := random(r, 70)
	mustAdd(t, x, part(0), 0, kept, c.Now().Add(time.Hour))
	for i := 1; i < 2000; i++ {
		p := part(i % 37)
		mustAdd(t, x, p, i, random(r, 70), c.Now().Add(time.Hour))
		if rows := x.Rows(); rows > 100 {
			t.Fatalf("%d rows", rows)
		}
		if n := len(x.partition(&p).entries); n > 10 {
			t.Fatalf("%d rows in a partition", n)
		}
		if got, ok := x.Search(part(0), &Query{Vector: kept}, 0.99); !ok || got.Key != key(0) {
			t.Fatalf("the row that is used was evicted at %d", i)
		}
		if i%50 == 0 {
			check(t, x)
		}
	}
	// Unused, it goes as the others do.
	for i := 2000; i < 2200; i++ {
		mustAdd(t, x, part(i%37), i, random(r, 70), c.Now().Add(time.Hour))
	}
	if _, ok := x.Search(part(0), &Query{Vector: kept}, 0.99); ok {
		t.Error("a row that is not used any more was kept")
	}
	// Expired rows go before rows in use do.
	x, c = newTest(Options{Entries: 100, PerPartition: 10})
	for i := range 100 {
		d := time.Hour
		if i%2 == 0 {
			d = time.Minute
		}
		mustAdd(t, x, part(i), i, []float32{1}, c.Now().Add(d))
		x.Search(part(i), &Query{Vector: []float32{1}}, 0.5)
	}
	c.Add(time.Minute)
	for i := range 50 {
		mustAdd(t, x, part(100+i), 100+i, []float32{1}, c.Now().Add(time.Hour))
	}
	for i := 1; i < 100; i += 2 {
		if _, ok := x.Search(part(i), &Query{Vector: []float32{1}}, 0.5); !ok {
			t.Errorf("row %d went before an expired one", i)
		}
	}
}

// check holds that the ring and the partitions agree.
func check(t *testing.T, x *Index) {
	t.Helper()
	n := 0
	for at := x.ring.oldest(); at != 0; at = x.ring.slots[at].next {
		n++
		s := &x.ring.slots[at]
		p := x.partition(&s.name.partition)
		if p == nil || int(s.row) >= len(p.entries) || p.entries[s.row].key != s.name.key || p.entries[s.row].slot != at {
			t.Fatalf("slot %d and its row disagree", at)
		}
		if x.ring.rows[s.name] != at {
			t.Fatalf("slot %d is not found by its name", at)
		}
	}
	sum := 0
	for i := range x.shards {
		for _, p := range x.shards[i].table {
			sum += len(p.entries)
		}
	}
	if n != len(x.ring.rows) || n != sum {
		t.Fatalf("%d in the ring, %d by name, %d rows", n, len(x.ring.rows), sum)
	}
}

func partitions(x *Index) (n int) {
	for i := range x.shards {
		n += len(x.shards[i].table)
	}
	return n
}

func TestRemove(t *testing.T) {
	x, c := newTest(Options{})
	r := rand.New(rand.NewPCG(5, 6))
	vectors := map[int][]float32{}
	for i := range 700 {
		vectors[i] = random(r, 130)
		mustAdd(t, x, part(1), i, vectors[i], c.Now().Add(time.Hour))
	}
	for i := range 700 {
		x.Remove(part(2), key(i)) // of another partition: nothing
		if i%3 != 0 {
			x.Remove(part(1), key(i))
		}
	}
	check(t, x)
	for i, v := range vectors {
		got, ok := x.Search(part(1), &Query{Vector: v}, 0.99)
		if ok != (i%3 == 0) || ok && got.Key != key(i) {
			t.Errorf("row %d: %v %v", i, got, ok)
		}
	}
	for i := range vectors {
		x.Remove(part(1), key(i))
	}
	if rows, parts := x.Rows(), partitions(x); rows != 0 || parts != 0 {
		t.Errorf("%d rows, %d partitions are left", rows, parts)
	}
}

// TestPartitionEviction holds that in a full partition the rows in use stay, also
// when they take the place of one that goes, and that the others make room for
// newer ones and not those for them.
func TestPartitionEviction(t *testing.T) {
	const size = 12
	x, c := newTest(Options{PerPartition: size})
	vector := func(i int) []float32 {
		v := make([]float32, 100)
		v[i] = 1
		return v
	}
	has := func(i int) bool {
		got, ok := x.Nearest(part(1), &Query{Vector: vector(i)})
		return ok && got.Similarity > 0.99
	}
	use := func(i int) {
		if _, ok := x.Search(part(1), &Query{Vector: vector(i)}, 0.9); !ok {
			t.Errorf("row %d in use was evicted", i)
		}
	}
	for i := range size {
		mustAdd(t, x, part(1), i, vector(i), c.Now().Add(time.Hour))
	}
	use(size - 1)
	x.Remove(part(1), key(0)) // the last row moves, and its use with it
	for i := size; i < 60; i++ {
		mustAdd(t, x, part(1), i, vector(i), c.Now().Add(time.Hour))
		if i == size+1 {
			if !has(size - 1) {
				t.Error("the row that moved was evicted")
			}
		}
		use(i)
		if i > size+2 {
			use(size + 1)
		}
		if !has(i) || !has(i-1) {
			t.Errorf("one of the youngest rows was evicted for %d", i)
		}
		check(t, x)
	}
	for i := 1; i < size-1; i++ {
		if has(i) {
			t.Errorf("row %d, which nobody used, is still there", i)
		}
	}
}

// TestRaces searches while rows come, go, and are evicted.
func TestRaces(t *testing.T) {
	x, c := newTest(Options{Entries: 300})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for i := range 400 {
				p, k := part(r.IntN(5)), r.IntN(200)
				v := random(rand.New(rand.NewPCG(uint64(k), uint64(p[0]))), 70)
				switch i % 4 {
				case 0:
					x.Remove(p, key(k))
				case 1:
					if err := x.Add(p, Row{Key: key(k), Vector: v, Expires: c.Now().Add(time.Hour)}); err != nil {
						t.Error(err)
					}
				default:
					if got, ok := x.Search(p, &Query{Vector: v}, 0.99); ok && got.Key != key(k) {
						t.Errorf("found %v for %d", got, k)
					}
				}
			}
		})
	}
	all.Wait()
	check(t, x)
}

func TestSearchAllocates(t *testing.T) {
	x, q := filled(t, 1000, 384)
	if n := testing.AllocsPerRun(100, func() { x.Search(part(1), q, 0.95) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// filled has rows as embedders make them: none is unlike the others.
func filled(t testing.TB, rows, dims int) (*Index, *Query) {
	x, c := newTest(Options{Entries: rows})
	r := rand.New(rand.NewPCG(8, 9))
	common := random(r, dims)
	features := Read("How do I reset the password of my account?")
	for i := range rows {
		row := Row{Key: key(i), Vector: around(r, common, 0.6), Features: features, Expires: c.Now().Add(time.Hour)}
		if err := x.Add(part(1), row); err != nil {
			t.Fatal(err)
		}
	}
	return x, &Query{Vector: around(r, common, 0.6), Features: features}
}

func BenchmarkSearch(b *testing.B) {
	for _, bench := range []struct {
		name       string
		rows, dims int
		threshold  float32
	}{
		{"10000x384", 10000, 384, 0.95},
		{"10000x384 at 0.8", 10000, 384, 0.8},
		{"10000x1536", 10000, 1536, 0.95},
		{"1000x384", 1000, 384, 0.95},
	} {
		x, q := filled(b, bench.rows, bench.dims)
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Search(part(1), q, bench.threshold)
			}
		})
		b.Run(bench.name+" nearest", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Nearest(part(1), q)
			}
		})
	}
}
