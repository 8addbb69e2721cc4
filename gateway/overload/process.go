package overload

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// fewest is how many goroutines have to have been run for their wait to mean
// anything.
const fewest = 100

// percentile is the one that is looked at.
const percentile = 0.99

// NewSampler returns a function that looks at this process. It is not safe for
// concurrent use.
func NewSampler() func() Sample {
	names := []string{
		"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/objects:bytes",
		"/memory/classes/heap/free:bytes", "/memory/classes/heap/unused:bytes", "/gc/heap/live:bytes", "/sched/latencies:seconds",
	}
	read := make([]metrics.Sample, len(names))
	for i, name := range names {
		read[i].Name = name
	}
	var before []uint64
	return func() Sample {
		metrics.Read(read)
		value := func(i int) int64 {
			if read[i].Value.Kind() != metrics.KindUint64 {
				return 0
			}
			return int64(min(read[i].Value.Uint64(), math.MaxInt64/8))
		}
		// Objects that are garbage already are as good as free: what the last
		// collection has left stands for them.
		s := Sample{Memory: value(0) - value(1) - value(2) - value(3) - value(4) + value(5)}
		if last := &read[len(read)-1]; last.Value.Kind() == metrics.KindFloat64Histogram {
			h := last.Value.Float64Histogram()
			s.Latency = quantile(h.Counts, before, h.Buckets)
			before = append(before[:0], h.Counts...)
		}
		return s
	}
}

// quantile is the percentile of what was counted since before.
func quantile(counts, before []uint64, buckets []float64) time.Duration {
	since := func(i int) uint64 {
		if i < len(before) {
			return counts[i] - before[i]
		}
		return counts[i]
	}
	var all uint64
	for i := range counts {
		all += since(i)
	}
	if len(before) == 0 || all < fewest {
		return 0
	}
	rest := uint64(float64(all) * (1 - percentile))
	for i := len(counts) - 1; i >= 0; i-- {
		n := since(i)
		if n > rest {
			return time.Duration(max(buckets[i], 0) * float64(time.Second))
		}
		rest -= n
	}
	return 0
}

// MemoryLimit is how much memory the process may use: what GOMEMLIMIT says, which
// Caddy sets from its cgroup's limit, else the cgroup's; 0 where there is none.
func MemoryLimit() int64 {
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		return n
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// Version 1 writes a huge number where there is none.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && n > 0 && n < 1<<50 {
			return n
		}
	}
	return 0
}
