package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/proc"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// sample is a report of made-up figures.
func sample() *Report {
	r := &Report{
		Name: "made-up", Command: "make bench", When: "2026-01-01", Rounds: 3, Pinned: true, Load: []float64{0.1, 2},
		Machine: map[string]string{"Go": "go1"}, Titles: map[string]string{"caddy": "Caddy", "chat-1k": "chat & co"},
		Absent: map[string]string{"litellm": "not installed"}, Cases: []string{"chat-1k", "chunks"},
	}
	for round, v := range [][2]float64{{100, 70}, {200, 160}, {50, 45}} {
		r.Add(Sample{Case: "chat-1k", Entry: "direct", Round: round, Values: map[string]float64{Rate: 1}})
		r.Add(Sample{Case: "chat-1k", Entry: "caddy", Round: round, Values: map[string]float64{CPU: v[0]}})
		r.Add(Sample{Case: "chat-1k", Entry: "weir", Round: round, Values: map[string]float64{CPU: v[1], Objects: 150, Bytes: 30 << 10, P50: math.NaN()}})
	}
	for _, s := range []struct {
		entry       string
		first, lost float64
	}{{"direct", 100, 0}, {"caddy", 300, 5}, {"weir", 250, 2}} {
		r.Add(Sample{Case: "chunks", Entry: s.entry, Values: map[string]float64{First50: s.first, Lost: s.lost}})
	}
	return r
}

func TestRatio(t *testing.T) {
	// 0.7, 0.8 and 0.9; the ratio of the medians would be 0.7.
	if diff := cmp.Diff(load.Span{Median: 0.8, Min: 0.7, Max: 0.9, N: 3}, sample().Ratio("chat-1k", "weir", CPU)); diff != "" {
		t.Error(diff)
	}
	if got := sample().Ratio("chat-1k", "nobody", CPU); got.N != 0 {
		t.Error(got)
	}
}

func TestGates(t *testing.T) {
	by := make(map[string]Gate)
	for _, g := range sample().Gates() {
		by[g.Row+" "+g.Figure] = g
	}
	for figure, want := range map[string]struct {
		known           bool
		got             float64
		passes, reaches bool
	}{
		"1 CPU per request, chat 1 KB, full":           {true, 0.8, true, false},
		"2 … with usage journal and access log":        {false, 0, false, false},
		"8 added time to first token, p50, 50 streams": {true, 0.75, true, false},
		"13 allocations per request, full, 1 KB":       {true, 150, true, false},
		"13 bytes allocated per request, full, 1 KB":   {true, 30, false, false},
		"16 chunks lost":    {true, 2, false, false}, // Weir's alone
		"16 chunks doubled": {false, 0, false, false},
		"17 soak of one hour at 60 % CPU, a reload each minute": {false, 0, false, false},
	} {
		g, ok := by[figure]
		if !ok {
			t.Errorf("no gate '%s'", figure)
			continue
		}
		if g.Known != want.known || math.Abs(g.Got-want.got) > 1e-9 || g.Passes() != want.passes || g.Reaches() != want.reaches {
			t.Errorf("%s: %+v", figure, g)
		}
	}
}

// TestNothingAdded holds that no ratio is made of what was not measurable.
func TestNothingAdded(t *testing.T) {
	r := new(Report)
	for entry, first := range map[string]float64{"direct": 100, "caddy": 90, "weir": 250} {
		r.Add(Sample{Case: "chunks", Entry: entry, Values: map[string]float64{First50: first}})
	}
	if g := r.addedFirst(); g.Known || !strings.Contains(g.Why, "nothing measurable") {
		t.Errorf("%+v", g)
	}
}

func TestNoise(t *testing.T) {
	for name, tc := range map[string]struct {
		samples []proc.Noise
		quiet   bool
	}{
		"quiet":      {[]proc.Noise{{Foreign: 0.01}, {Foreign: 0.02}, {Foreign: 0.9}}, true},
		"others":     {[]proc.Noise{{Foreign: 0.1}, {Foreign: 0.2}, {Foreign: 0.01}}, false},
		"the host's": {[]proc.Noise{{Stolen: 0.02}, {Stolen: 0.03}}, false},
	} {
		r := new(Report)
		for _, n := range tc.samples {
			r.Add(Sample{Noise: n})
		}
		if _, _, quiet := r.Noise(); quiet != tc.quiet {
			t.Errorf("%s: %v", name, quiet)
		}
		if got := strings.Contains(r.Markdown(""), "was not quiet"); got == tc.quiet {
			t.Errorf("%s: the page says so: %v", name, got)
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	if err := sample().Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample().Markdown("x"), got.Markdown("x")); diff != "" {
		t.Error(diff)
	}
}

func TestMarkdown(t *testing.T) {
	text := sample().Markdown("plots")
	for _, want := range []string{
		"| 1 | CPU per request, chat 1 KB, full | ≤ 0.80× | ≤ 0.65× | 0.80 (0.70–0.90)× | within the gate |",
		"| 16 | chunks lost | ≤ 0 | ≤ 0 | 2 | **missed** |",
		"| Caddy | 100 | 1.00 (1.00–1.00) |",
		"| not measured: litellm | not installed |",
		"(plots/made-up-cpu.svg)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// Every row of a table has as many cells as its head.
	cells := 0
	for line := range strings.Lines(text) {
		n := strings.Count(line, "|")
		if n > 0 && cells > 0 && n != cells {
			t.Errorf("%d cells, not %d: %s", n, cells, line)
		}
		cells = n
	}
}

func TestSVG(t *testing.T) {
	plots := sample().Plots()
	if len(plots) == 0 {
		t.Fatal("no plots")
	}
	for _, p := range plots {
		d := xml.NewDecoder(strings.NewReader(p.SVG()))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", p.Name, err, p.SVG())
			}
		}
	}
	for most, want := range map[float64]float64{0: 1, 1: 0.2, 1.6: 0.2, 7: 1, 100: 20, 4321: 1000} {
		if got := niceStep(most); math.Abs(got-want) > 1e-9 {
			t.Errorf("steps to %v are %v, want %v", most, got, want)
		}
	}
}

func TestSplice(t *testing.T) {
	page := "# Title\n" + opening + "old\n" + closing + "end\n"
	got, err := Splice([]byte(page), "new")
	if want := "# Title\n" + opening + "\nnew\n" + closing + "end\n"; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := Splice([]byte("# Title\n"), "new"); err == nil {
		t.Error("a page without a place is written")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.456: "0.46", 2: "2", 12.345: "12.35", 45.67: "45.7", 1234.5: "1234"} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}
