package report

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/mark"
)

// soaked is an hour of looks, each as change makes it of its number.
func soaked(change func(minute int, l *Look)) *Soak {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := &Soak{
		Command: "make soak", Target: "Weir", Pinned: true, Seconds: 3600, Rate: 1000, Reloads: 59, Calls: 100, Answered: 100,
		Flows: map[string]load.Tally{"whole": {Done: 100}, "streamed": {Done: 10, Chunks: 400}},
	}
	for i := 1; i <= 60; i++ {
		wave := rnd.Float64() - 0.5
		l := Look{At: 60 * float64(i), CPU: 0.6, Heap: 80_000 + 3000*wave, Goroutines: math.Round(300 + 10*wave), Files: math.Round(200 + 6*wave), RSS: 200_000 + 9000*wave}
		if i <= 10 { // it warms up
			l.Heap, l.RSS = l.Heap*0.6, l.RSS*0.7
		}
		change(i, &l)
		s.Add(l)
	}
	return s
}

func TestVerdict(t *testing.T) {
	for name, tc := range map[string]struct {
		soak   *Soak
		want   string
		passes bool
	}{
		"flat":               {soaked(func(int, *Look) {}), "flat, no failure", true},
		"a spike":            {soaked(func(i int, l *Look) { l.RSS += 1e6 * float64(max(0, i-58)) }), "flat, no failure", true},
		"it shrinks":         {soaked(func(i int, l *Look) { l.Heap -= 500 * float64(i) }), "flat, no failure", true},
		"heap":               {soaked(func(i int, l *Look) { l.Heap += 100 * float64(i) }), "not flat: heap after a collection, no failure", false},
		"a goroutine a load": {soaked(func(i int, l *Look) { l.Goroutines += float64(i) }), "not flat: goroutines, no failure", false},
		"files":              {soaked(func(i int, l *Look) { l.Files += float64(i / 2) }), "not flat: open files, no failure", false},
		"RSS in the end":     {soaked(func(i int, l *Look) { l.RSS += 30_000 * float64(min(1, i/45)) }), "not flat: RSS, no failure", false},
	} {
		if got, passes := tc.soak.Verdict(); got != tc.want || passes != tc.passes {
			t.Errorf("%s: %s, %v\n%+v", name, got, passes, tc.soak.trends())
		}
	}
	for name, tc := range map[string]struct {
		change func(*Soak)
		want   string
	}{
		"a request":        {func(s *Soak) { s.Flows["whole"] = load.Tally{Failed: 1} }, "flat; 1 failures"},
		"chunks":           {func(s *Soak) { s.Flows["streamed"] = load.Tally{Faults: mark.Faults{Lost: 2, Foreign: 1}} }, "flat; 3 failures"},
		"a reload":         {func(s *Soak) { s.Refused = []string{"no"} }, "flat; 1 failures"},
		"calls in vain":    {func(s *Soak) { s.Calls += 2 }, "flat; 2 failures"},
		"too few looks":    {func(s *Soak) { s.Looks = s.Looks[:11] }, "too short to tell whether it is flat, no failure"},
		"too short a time": {func(s *Soak) { s.Looks = s.Looks[:20] }, "too short to tell whether it is flat, no failure"},
	} {
		s := soaked(func(int, *Look) {})
		tc.change(s)
		if got, passes := s.Verdict(); got != tc.want || passes {
			t.Errorf("%s: %s, %v", name, got, passes)
		}
	}
}

func TestTheilSen(t *testing.T) {
	for name, tc := range map[string]struct {
		y    []float64
		want float64
	}{
		"a line":    {[]float64{1, 3, 5, 7, 9}, 2},
		"outliers":  {[]float64{1, 3, 900, 7, 9, 11, 13, -50}, 2},
		"level":     {[]float64{4, 4, 4}, 0},
		"one point": {[]float64{4}, math.NaN()},
	} {
		x := make([]float64, len(tc.y))
		for i := range x {
			x[i] = float64(i)
		}
		if got := theilSen(x, tc.y); got != tc.want && !(math.IsNaN(got) && math.IsNaN(tc.want)) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// TestSoakPage holds that a soak beside a report fills row 17 and has its part of
// the page.
func TestSoakPage(t *testing.T) {
	row := func(r *Report) string {
		for line := range strings.Lines(r.Markdown("")) {
			if strings.HasPrefix(line, "| 17 |") {
				return line
			}
		}
		return ""
	}
	grown, brief := soaked(func(i int, l *Look) { l.Files += float64(i) }), soaked(func(int, *Look) {})
	brief.Seconds = 1800
	for _, tc := range []struct {
		name string
		soak *Soak
		want string
	}{
		{"none", nil, "| – | not part of this command: `make soak` |"},
		{"flat", soaked(func(int, *Look) {}), "| aim reached | flat, no failure |"},
		{"grown", grown, "| **missed** | not flat: open files, no failure |"},
		{"brief", brief, "| – | of 30m0s only: flat, no failure |"},
	} {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := sample().Write(path); err != nil {
			t.Fatal(err)
		}
		if tc.soak != nil {
			if err := tc.soak.Write(strings.TrimSuffix(path, ".json") + "-soak.json"); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.soak, r.Soak); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
		if got := row(r); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", tc.name, got)
		}
		if got := strings.Contains(r.Markdown(""), "### Soak\n"); got != (tc.soak != nil) {
			t.Errorf("%s: the page has a part for it: %v", tc.name, got)
		}
	}
}
