package cache

import (
	"fmt"
	"strings"
	"testing"
)

func TestGetAllocates(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, nil, clock)
	key := keyOf("a", "r")
	c.Put(key, "a", answer(clock, "x", "t"), c.Stamp(), hour)
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := c.Get(key, "a"); !ok {
			t.Error("a miss")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPutAllocates holds what an answer costs that is kept: its piece, and what
// ristretto takes to be told of it and to be waited for.
func TestPutAllocates(t *testing.T) {
	clock := newClock()
	c := open(t, 64<<20, nil, clock)
	key, a := keyOf("a", "r"), answer(clock, strings.Repeat("x", 4<<10), "model:m", "key:k")
	if n := testing.AllocsPerRun(1000, func() { c.Put(key, "a", a, c.Stamp(), hour) }); n > 5 {
		t.Errorf("%v allocations", n)
	}
}

func TestKeyOfAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(1000, func() { KeyOf("1", "key", "key\x00ci", "chat openai/gpt-4.1", [32]byte{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGet(b *testing.B) {
	clock := newClock()
	c := open(b, 64<<20, nil, clock)
	c.Now = clock.Now().Local
	var keys [1024]Key
	for i := range keys {
		keys[i] = keyOf("a", fmt.Sprint(i))
		c.Put(keys[i], "a", answer(clock, strings.Repeat("x", 4<<10), "model:m", "key:k", "target:p/m"), c.Stamp(), hour)
	}
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, ok := c.Get(keys[i%len(keys)], "a"); !ok {
				b.Fatal("a miss")
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		key := keyOf("a", "none")
		for range b.N {
			c.Get(key, "a")
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, ok := c.Get(keys[i%len(keys)], "a"); !ok {
					b.Error("a miss")
				}
			}
		})
	})
	b.Run("parallel, one key", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Get(keys[0], "a")
			}
		})
	})
}

func BenchmarkPut(b *testing.B) {
	clock := newClock()
	c := open(b, 64<<20, nil, clock)
	a := answer(clock, strings.Repeat("x", 4<<10), "model:m")
	b.ReportAllocs()
	for i := range b.N {
		c.Put(keyOf("a", fmt.Sprint(i)), "a", a, c.Stamp(), hour)
	}
}

func BenchmarkCodec(b *testing.B) {
	c := mustCodec(b, "secret", DefaultMaxEntry)
	e := sample("a", strings.Repeat(`data: {"choices":[{"delta":{"content":"word"}}]}`+"\n\n", 80))
	sealed := c.seal(e)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			c.seal(e)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := c.open(sealed, e.key, "a"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
