package cache

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/wire"
)

// TestReadYourWrites holds that what Put keeps is there at once, again and again.
func TestReadYourWrites(t *testing.T) {
	clock := newClock()
	c := open(t, 64<<20, nil, clock)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 5000 {
				key := keyOf("a", fmt.Sprintf("%d-%d", worker, i))
				body := fmt.Sprint(worker, i)
				if !c.Put(key, "a", answer(clock, body), c.Stamp(), hour) {
					t.Error("not kept")
				}
				if hit, ok := c.Get(key, "a"); !ok || string(hit.Form.Body) != body {
					t.Errorf("answer %d of %d is not there", i, worker)
				}
			}
		})
	}
	all.Wait()
	if s := c.Memory.Stats(); s.Entries != 20_000 || s.Hits != 20_000 || s.Misses != 0 {
		t.Errorf("%+v", s)
	}
}

// TestPutIsTrue holds that what Put says is kept is there, and what it says is not is
// not, also where there is no room for what is asked for less often.
func TestPutIsTrue(t *testing.T) {
	clock := newClock()
	c := open(t, 256<<10, nil, clock)
	for i := range 200 {
		for j := range 50 { // these are asked for all the time
			c.Get(keyOf("a", fmt.Sprint(j)), "a")
		}
		key := keyOf("a", fmt.Sprint(i))
		kept := c.Put(key, "a", answer(clock, strings.Repeat("x", 10_000)), c.Stamp(), hour)
		if _, found := c.Get(key, "a"); found != kept {
			t.Errorf("answer %d is kept: %t, and there: %t", i, kept, found)
		}
	}
	if c.Put(keyOf("a", "long"), "a", answer(clock, strings.Repeat("x", 512<<10)), c.Stamp(), hour) {
		t.Error("an answer that is larger than the memory is kept")
	}
}

// TestMemoryBounded writes ten times what there is room for, from all sides, with
// answers that are replaced by larger ones and spelt in other ways.
func TestMemoryBounded(t *testing.T) {
	clock := newClock()
	const size = 8 << 20
	c := open(t, size, nil, clock)
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 2500 {
				key := keyOf("a", fmt.Sprintf("%d-%d", worker, i%1500))
				c.Put(key, "a", answer(clock, strings.Repeat("x", 2000+i*4)), c.Stamp(), hour)
				if hit, ok := c.Get(key, "a"); ok {
					c.Extend(&hit, &Form{Operation: wire.Messages, Body: []byte(strings.Repeat("y", 3000))})
				}
				if stats := c.Memory.Stats(); stats.Bytes > size+4*(2<<14) {
					t.Errorf("%d bytes are kept", stats.Bytes)
				}
			}
		})
	}
	all.Wait()
	stats := c.Memory.Stats()
	if stats.Bytes > size || stats.Bytes < size/2 || stats.Evicted+stats.Rejected == 0 {
		t.Errorf("%+v", stats)
	}
	if grown := heap() - before; grown > size*5/4 {
		t.Errorf("the heap has grown by %d for a cache of %d", grown, size)
	}
	// What is counted is what is there.
	var entries, bytes int64
	c.Memory.kept.IterValues(func(p piece) bool {
		entries++
		bytes += p.weight()
		return false
	})
	if entries != stats.Entries || bytes != stats.Bytes {
		t.Errorf("%d entries and %d bytes are there, counted are %+v", entries, bytes, stats)
	}
}

// TestOverhead holds that an entry's cost is about what it takes.
func TestOverhead(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<30, nil, clock)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 50_000 {
		key := keyOf("a", fmt.Sprint(i))
		c.Put(key, "a", answer(clock, "0123456789abcdef0123456789abcdef"), c.Stamp(), hour)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	real, counted := int64(after.HeapAlloc)-int64(before.HeapAlloc), c.Memory.Stats().Bytes
	if real > counted*5/4 || counted > real*5/2 {
		t.Errorf("%d bytes an entry are counted and %d are taken", counted/50_000, real/50_000)
	}
}

func TestResize(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, nil, clock)
	put := func(i int) bool {
		key := keyOf("a", fmt.Sprint(i))
		c.Put(key, "a", answer(clock, strings.Repeat("x", 9000)), c.Stamp(), hour)
		_, ok := c.Get(key, "a")
		return ok
	}
	for i := range 100 {
		put(i)
	}
	c.Memory.Resize(100 << 10)
	if s := c.Memory.Stats(); s.Bytes > 100<<10 || s.Bytes < 80<<10 || s.Size != 100<<10 || s.Evicted == 0 {
		t.Errorf("smaller: %+v", s)
	}
	if _, ok := c.Get(keyOf("a", "99"), "a"); !ok {
		t.Error("the last one is gone")
	}
	c.Memory.Resize(2 << 20)
	for i := range 150 {
		if !put(1000 + i) {
			t.Fatalf("larger, and no room for answer %d", i)
		}
	}
}

// TestReplace holds that a larger answer in a smaller one's place makes room.
func TestReplace(t *testing.T) {
	clock := newClock()
	c := open(t, 100<<10, nil, clock)
	for round := range 9 {
		for i := range 20 {
			c.Put(keyOf("a", fmt.Sprint(i)), "a", answer(clock, strings.Repeat("x", 1000+round*2000)), c.Stamp(), hour)
			if s := c.Memory.Stats(); s.Bytes > s.Size {
				t.Fatalf("round %d: %+v", round, s)
			}
		}
	}
	// What does not fit at all takes its predecessor with it.
	key := keyOf("a", "b")
	c = open(t, 100<<10, nil, clock)
	c.Put(key, "a", answer(clock, "old"), c.Stamp(), hour)
	c.Put(key, "a", answer(clock, strings.Repeat("x", 200<<10)), c.Stamp(), hour)
	if hit, ok := c.Get(key, "a"); ok {
		t.Errorf("%q is there still", hit.Form.Body)
	}
}

// TestClose ends a cache under load: nothing panics, and no goroutine stays.
func TestClose(t *testing.T) {
	clock := newClock()
	for range 20 {
		memory, err := NewMemory(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := New(Options{Memory: memory, Marks: NewMarks(clock.Now, nil), Now: clock.Now})
		var all sync.WaitGroup
		begun := make(chan struct{}, 4)
		for worker := range 4 {
			all.Go(func() {
				for i := range 400 {
					if i == 10 {
						begun <- struct{}{}
					}
					key := keyOf("a", fmt.Sprint(worker, i%50))
					c.Get(key, "a")
					c.Put(key, "a", answer(clock, "x"), c.Stamp(), hour)
					if i%100 == 0 {
						memory.Resize(1 << 19)
					}
				}
			})
		}
		<-begun
		memory.Close()
		all.Wait()
		memory.Close()
		if c.Put(keyOf("a", "b"), "a", answer(clock, "x"), c.Stamp(), hour); memory.Stats().Entries != 0 {
			t.Error("a closed cache keeps")
		}
	}
}

// TestRoundUp holds that however many answers are put, few lists say when they
// expire, and that none goes early.
func TestRoundUp(t *testing.T) {
	for _, keep := range []time.Duration{time.Nanosecond, time.Second, time.Minute, 5 * time.Minute, time.Hour, 2*time.Hour + 7*time.Second, 30 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		expire := map[int64]int{} // by ristretto's buckets
		begin := time.Unix(1_700_000_003, 123)
		span := min(keep, 60*24*time.Hour)
		for i := range 10_000 {
			now := begin.Add(span / 10_000 * time.Duration(i))
			got := roundUp(now, keep)
			if got < keep || got-keep > keep/lists {
				t.Fatalf("%v became %v", keep, got)
			}
			expire[now.Add(got).Unix()/int64(bucket/time.Second)]++
		}
		if len(expire) > 2*lists+2 {
			t.Errorf("%v: %d lists", keep, len(expire))
		}
	}
}
