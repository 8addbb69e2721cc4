package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/wire"
)

// benchmark is what a request waits for; the delivery runs elsewhere.
func benchmark(b *testing.B, f func(j *Journal, n int64)) {
	j, err := Open(Options{Dir: b.TempDir(), MaxSize: 8 << 30, MaxMemory: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f(j, n.Add(1))
		}
	})
	b.StopTimer()
	if err := j.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	if s := j.Stats(); s.Dropped > 0 {
		b.Fatalf("%+v", s)
	}
}

func BenchmarkAppend(b *testing.B) {
	r := row("req_018f6b1e-7d4c-7000-8000-000000000000", 300)
	benchmark(b, func(j *Journal, _ int64) {
		if err := j.Append(r); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkOpenAppend(b *testing.B) {
	r := row("", 300)
	benchmark(b, func(j *Journal, n int64) {
		r := r
		r.RequestID = fmt.Sprintf("req_%d", n)
		_ = j.Open(r)
		_ = j.Append(r)
	})
}

func BenchmarkCheckpoint(b *testing.B) {
	r := row("req_1", 300)
	benchmark(b, func(j *Journal, n int64) {
		if n == 1 {
			_ = j.Open(r)
		}
		j.Checkpoint("req_1", ledger.Progress{Usage: wire.Usage{Output: n}})
	})
}
