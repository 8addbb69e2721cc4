package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestCases holds that cases can be compared: a baseline in each, no entry
// twice, targets that exist, and streams that tell what they are.
func TestCases(t *testing.T) {
	var names []string
	for _, c := range cases() {
		if slices.Contains(names, c.name) {
			t.Errorf("two cases %s", c.name)
		}
		names = append(names, c.name)
		var labels []string
		for _, e := range c.entries {
			if slices.Contains(labels, e.label) {
				t.Errorf("%s: two entries %s", c.name, e.label)
			}
			labels = append(labels, e.label)
			if _, ok := targets.Find(e.target); !ok {
				t.Errorf("%s: no target %s", c.name, e.target)
			}
		}
		if !slices.Contains(labels, report.Baseline) {
			t.Errorf("%s has no baseline", c.name)
		}
		if c.script.Stream != c.ask.Stream || c.script.Stream != (c.chunks > 0) || c.chunks != c.script.Tokens {
			t.Errorf("%s: the upstream's script, the request and what is expected differ", c.name)
		}
	}
	for _, p := range profiles {
		for _, name := range p.Skip {
			if !slices.Contains(names, name) {
				t.Errorf("profile %s skips %s, which is no case", p.Name, name)
			}
		}
		for _, name := range slices.Concat(p.Without, p.Held) {
			if _, ok := targets.Find(name); !ok {
				t.Errorf("profile %s: no target %s", p.Name, name)
			}
		}
		if p.HangUp > p.Hold[len(p.Hold)-1] {
			t.Errorf("profile %s: more hang up than are there", p.Name)
		}
	}
}

// TestGatesAreMeasured holds that what the gates look at is what full runs
// measure: a renamed case would silently leave its gate unknown.
func TestGatesAreMeasured(t *testing.T) {
	r := new(report.Report)
	everything := make(map[string]float64)
	for _, v := range []string{
		report.CPU, report.ChunkCPU, report.First50, report.Delay50, report.Delay99, report.Objects, report.Bytes, report.Lost, report.Doubled,
		report.Reordered, report.Foreign, report.Late, report.PerStream, report.RSS, report.Broken, report.GoneAfter,
	} {
		everything[v] = 1
	}
	add := func(name, entry string) {
		values := make(map[string]float64)
		for k, v := range everything {
			values[k] = v
		}
		if entry != "direct" {
			values[report.First50] = 2
		}
		r.Add(report.Sample{Case: name, Entry: entry, Values: values})
	}
	for _, c := range cases() {
		for _, e := range c.entries {
			add(c.name, e.label)
		}
	}
	for _, name := range profiles[0].Held {
		for _, of := range []string{"hold-1000", "hold-5000", "hold-9500", "hang-up-5000"} {
			add(of, name)
		}
	}
	for _, g := range r.Gates() {
		if !g.Known && g.Row != "17" {
			t.Errorf("row %s, %s, is not measured", g.Row, g.Figure)
		}
	}
}

// TestOwnGC holds that what the harness sets for its own collections is not
// handed down to targets.
func TestOwnGC(t *testing.T) {
	t.Setenv("WEIR_BENCH_PINNED", "1")
	t.Setenv(goGC, ownGC)
	if pinned, err := pin(); !pinned || err != nil {
		t.Fatal(pinned, err)
	}
	if v, ok := os.LookupEnv(goGC); ok {
		t.Errorf("targets have %s=%s", goGC, v)
	}
}

// TestPage holds that docs/performance.md is what its report says.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	plot := regexp.MustCompile(`bench/results/(.+)-cpu\.svg`).FindSubmatch(text)
	if plot == nil {
		t.Fatal("the page shows no report")
	}
	r, err := report.Read(filepath.Join("results", string(plot[1])+".json"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := report.Splice(text, r.Markdown("../bench/results"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("run `make bench-page NAME=%s` (-want +is)\n%s", r.Name, diff)
	}
	for _, p := range r.Plots() {
		image, err := os.ReadFile(filepath.Join("results", r.Name+"-"+p.Name+".svg"))
		if err != nil || string(image) != p.SVG() {
			t.Errorf("the plot %s is not that of the report (%v)", p.Name, err)
		}
	}
}
