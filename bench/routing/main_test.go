//go:build !race

// Under the race detector these would take minutes, and the simulation has one
// goroutine.

package main

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// published are the results that the pages show.
var published = sync.OnceValue(func() []Result { return runAll(seedOf) })

func byName(results []Result) map[string]Result {
	by := make(map[string]Result)
	for _, r := range results {
		by[r.Name] = r
	}
	return by
}

// TestOrderings holds what each policy is for, whatever the luck.
func TestOrderings(t *testing.T) {
	for seed, results := range map[uint64][]Result{seedOf: published(), 2: runAll(2)} {
		by := byName(results)
		for _, rule := range []struct {
			what       string
			less, more string
			value      func(Result) float64
			atMost     float64 // of more's
		}{
			{"p99", "least_latency", "random", p99, 0.5},
			{"p99", "least_latency", "round_robin", p99, 0.5},
			{"p99", "least_latency", "least_conn", p99, 0.9},
			{"p99", "least_latency", "key_hash", p99, 0.6},
			{"p99", "least_conn", "random", p99, 0.6},
			{"p50", "least_latency", "random", func(r Result) float64 { return r.P50.Seconds() }, 1},
			{"429s", "random", "random, quotas unseen", refused, 0.1},
			{"429s", "least_latency", "least_latency, quotas unseen", refused, 0.1},
			{"429s", "key_hash weighted by quota", "key_hash", refused, 0.7},
			{"429s", "least_latency", "first", refused, 0.05},
			{"failures", "least_latency", "first", failed, 0.05},
			{"cost", "least_cost", "random", cost, 0.92},
			{"cost", "key_hash", "least_cost", cost, 0.95}, // cached prompts are cheaper than cheap targets
			{"cold caches", "key_hash", "random", func(r Result) float64 { return 1 - r.Cached }, 0.5},
		} {
			less, more := rule.value(by[rule.less]), rule.value(by[rule.more])
			if less > more*rule.atMost {
				t.Errorf("seed %d: %s of %s is %.4f, of %s %.4f", seed, rule.what, rule.less, less, rule.more, more)
			}
		}
		for _, name := range []string{"random", "least_conn", "least_latency", "weighted_round_robin by quota"} {
			if share := by[name].Failed; share > 0.001 {
				t.Errorf("seed %d: %s fails %.4f of all requests", seed, name, share)
			}
		}
	}
}

func p99(r Result) float64     { return r.P99.Seconds() }
func refused(r Result) float64 { return r.Refused }
func failed(r Result) float64  { return r.Failed }
func cost(r Result) float64    { return r.Cost }

// TestDeterministic holds that a run depends on its seed and on nothing else.
func TestDeterministic(t *testing.T) {
	c := contestants[1]
	if diff := cmp.Diff(Run(c, 7), Run(c, 7)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(Run(c, 7), Run(c, 8)) {
		t.Error("the seed does not count")
	}
}

// TestPages holds that the pages are what the program writes. Other processors
// may round floating-point numbers otherwise.
func TestPages(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the pages are those of amd64")
	}
	results := published()
	text, err := os.ReadFile("../" + page)
	if err != nil {
		t.Fatal(err)
	}
	want, err := splice(text, table(results))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("run `go run ./routing` (-want +is)\n%s", diff)
	}
	image, err := os.ReadFile("../" + plot)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(drawing(results), string(image)); diff != "" {
		t.Errorf("run `go run ./routing` (-want +is)\n%s", diff)
	}
}
