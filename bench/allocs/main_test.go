package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const output = `goos: linux
pkg: example.com/a
cpu: x
BenchmarkOne-2         	     100	     57112 ns/op	 155.50 MB/s	    4096 B/op	      12 allocs/op
BenchmarkTwo/a-b-2     	     100	     57112 ns/op	       0 B/op	       0 allocs/op
BenchmarkNone          	     100	     57112 ns/op
PASS
pkg: example.com/b
BenchmarkOne-2         	     100	     1.5 ns/op	       8 B/op	       1 allocs/op
`

func TestParse(t *testing.T) {
	want := map[string]figures{"example.com/a BenchmarkOne": {12, 4096}, "example.com/a BenchmarkTwo/a-b": {}, "example.com/b BenchmarkOne": {1, 8}}
	got := parse([]byte(output))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(figures{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, parse(write(got)), cmp.AllowUnexported(figures{})); diff != "" {
		t.Error(diff)
	}
}

func TestCompare(t *testing.T) {
	before := map[string]figures{"a": {0, 0}, "b": {100, 1000}, "c": {100, 10_000}}
	for name, tc := range map[string]struct {
		now   map[string]figures
		worse int
	}{
		"same":            {before, 0},
		"better":          {map[string]figures{"a": {}, "b": {50, 10}, "c": {}}, 0},
		"one more of 0":   {map[string]figures{"a": {1, 0}, "b": {100, 1000}, "c": {100, 10_000}}, 1},
		"within the luck": {map[string]figures{"a": {0, 200}, "b": {102, 1200}, "c": {100, 12_000}}, 0},
		"more of both":    {map[string]figures{"a": {}, "b": {103, 1000}, "c": {100, 13_000}}, 2},
		"one is gone":     {map[string]figures{"b": {100, 1000}, "c": {100, 10_000}}, 1},
		"one is new":      {map[string]figures{"a": {}, "b": {100, 1000}, "c": {100, 10_000}, "d": {}}, 1},
	} {
		if got := compare(before, tc.now); len(got) != tc.worse {
			t.Errorf("%s: %q", name, got)
		}
	}
}
