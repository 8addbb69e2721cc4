package tokenizer

import (
	"runtime"
	"testing"
	"time"
)

// BenchmarkLoad unpacks a vocabulary.
func BenchmarkLoad(b *testing.B) {
	for _, e := range builtin {
		b.Run(e.name, func(b *testing.B) {
			packed, limit := packedO200k, 0
			switch e.name {
			case "cl100k_base":
				packed = packedCl100k
			case "p50k_base", "p50k_edit":
				packed = packedP50k
			case "r50k_base":
				packed, limit = packedP50k, r50kSize
			}
			start := cpuTime()
			for b.Loop() {
				v, err := unpackVocab(packed, limit)
				if err != nil {
					b.Fatal(err)
				}
				newBPE(v)
			}
			b.ReportMetric(float64((cpuTime()-start).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// TestResident bounds what a loaded vocabulary keeps in memory.
func TestResident(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	b := func() *bpe {
		v, err := unpackVocab(packedO200k, 0)
		if err != nil {
			t.Fatal(err)
		}
		return newBPE(v)
	}()
	b.workers.release(b.workers.acquire())
	took := time.Since(start)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := float64(after.HeapAlloc-before.HeapAlloc) / 1e6
	t.Logf("o200k_base: %.1f MB, loaded in %v", mb, took)
	if mb > 20 {
		t.Errorf("%.1f MB resident", mb)
	}
	runtime.KeepAlive(b)
}
