package keys

import (
	"fmt"
	"testing"
)

func benchSet(b *testing.B, n int) (*Set, []string) {
	h, random := NewHasher(nil), seeded(9)
	list, secrets := make([]Key, n), make([]string, n)
	for i := range list {
		list[i], secrets[i] = issue(b, h, random, Key{Name: fmt.Sprint("key-", i)})
	}
	set := NewSet(h)
	if err := set.Replace("bench", list); err != nil {
		b.Fatal(err)
	}
	return set, secrets
}

func BenchmarkFind(b *testing.B) {
	set, secrets := benchSet(b, 100_000)
	_, stranger := issue(b, NewHasher(nil), seeded(10), Key{})
	// "active": a thousand of the keys send requests. "all": every key does, out
	// of order, so that nothing is in the processor's caches, not even the
	// benchmark's own secrets.
	for name, n := range map[string]int{"active": 1000, "all": len(secrets)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				if _, err := set.Find(secrets[i], start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("unknown", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = set.Find(stranger, start)
		}
	})
	b.Run("damaged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = set.Find(stranger[:40], start)
		}
	})
}
