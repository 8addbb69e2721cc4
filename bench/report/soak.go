package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/proc"
)

// Soak is a load that went on for long, with a reload after each look.
type Soak struct {
	Command string            `json:"command"`
	When    string            `json:"when"`
	Machine map[string]string `json:"machine"`
	Pinned  bool              `json:"pinned"`
	Target  string            `json:"target"` // its title

	Seconds float64               `json:"seconds"`
	Rate    float64               `json:"requests_per_second"`
	Reloads int                   `json:"reloads"`
	Refused []string              `json:"refused_reloads,omitempty"`
	Flows   map[string]load.Tally `json:"flows"`

	// Calls are what the upstream was asked, Answered the requests that should have
	// led to one.
	Calls    int64 `json:"upstream_calls"`
	Answered int64 `json:"answered_by_upstream"`

	Looks []Look `json:"looks"`
}

// Look is one look at the target, and what was spent since the one before.
type Look struct {
	At         float64    `json:"at_seconds"`
	CPU        float64    `json:"cpu_share"` // of one processor
	Heap       float64    `json:"heap_kb"`   // right after a collection
	Goroutines float64    `json:"goroutines"`
	Files      float64    `json:"files"`
	RSS        float64    `json:"rss_kb"`
	Whole99    float64    `json:"whole_p99_us"` // from when it was due
	Noise      proc.Noise `json:"noise"`
}

// trend is a series of looks and what has become of it.
type trend struct {
	name          string
	least         float64 // what does not count as growth in an hour
	second, last  float64 // medians of quarters
	slope         float64 // per hour
	share         float64 // the slope as a share of the median
	grows, steady bool    // steady: there was enough to say so
}

// What is flat, see the README: growth in an hour by no more than so much, and a
// last quarter no higher than so much above the second one.
const (
	flat      = 0.05
	fewCounts = 5    // goroutines, files
	fewKB     = 1024 // of memory
	fewLooks  = 12

	// A few seconds say nothing of an hour.
	shortest = 20 * time.Minute
)

func (s *Soak) trends() []trend {
	var out []trend
	for _, series := range []struct {
		name  string
		least float64
		of    func(*Look) float64
	}{
		{"heap after a collection, KB", fewKB, func(l *Look) float64 { return l.Heap }},
		{"goroutines", fewCounts, func(l *Look) float64 { return l.Goroutines }},
		{"open files", fewCounts, func(l *Look) float64 { return l.Files }},
		{"RSS, KB", fewKB, func(l *Look) float64 { return l.RSS }},
	} {
		at, v := make([]float64, len(s.Looks)), make([]float64, len(s.Looks))
		for i := range s.Looks {
			at[i], v[i] = s.Looks[i].At/3600, series.of(&s.Looks[i])
		}
		out = append(out, trendOf(series.name, series.least, at, v))
	}
	return out
}

// trendOf looks at values v at the hours at.
func trendOf(name string, least float64, at, v []float64) trend {
	n := len(v)
	t := trend{name: name, least: least}
	if n < fewLooks || at[n-1]-at[0] < shortest.Hours() {
		return t
	}
	t.steady = true
	t.second, t.last = load.Median(v[n/4:n/2]), load.Median(v[n-n/4:])
	t.slope = theilSen(at[n/3:], v[n/3:])
	mid := load.Median(v[n/3:])
	if mid > 0 {
		t.share = t.slope / mid
	}
	t.grows = t.slope > max(flat*mid, least) || t.last-t.second > max(flat*t.second, least)
	return t
}

// theilSen is the median of the slopes between all pairs of points, which single
// outliers do not move.
func theilSen(x, y []float64) float64 {
	var slopes []float64
	for i := range x {
		for j := i + 1; j < len(x); j++ {
			if x[j] != x[i] {
				slopes = append(slopes, (y[j]-y[i])/(x[j]-x[i]))
			}
		}
	}
	if len(slopes) == 0 {
		return math.NaN()
	}
	return load.Median(slopes)
}

// failures are what must not be: requests that failed, chunks that were not as they
// should be, reloads that were refused, and calls that nobody was shown the answer of.
func (s *Soak) failures() (n int64) {
	for _, t := range s.Flows {
		n += t.Failed + int64(t.Faults.Sum())
	}
	return n + int64(len(s.Refused)) + max(s.Calls-s.Answered, 0)
}

// Verdict says what has become of the soak; passes is whether that is good.
func (s *Soak) Verdict() (text string, passes bool) {
	var grow []string
	short := false
	for _, t := range s.trends() {
		short = short || !t.steady
		if t.grows {
			grow = append(grow, strings.TrimSuffix(t.name, ", KB"))
		}
	}
	text, passes = "flat", !short && len(grow) == 0
	if short {
		text = "too short to tell whether it is flat"
	} else if !passes {
		text = "not flat: " + strings.Join(grow, ", ")
	}
	if n := s.failures(); n > 0 {
		return fmt.Sprintf("%s; %d failures", text, n), false
	}
	return text + ", no failure", passes
}

// gate is row 17.
func (s *Soak) gate() Gate {
	g := Gate{Row: "17", Figure: "soak of one hour at 60 % CPU, a reload each minute", Why: "not part of this command: `make soak`"}
	if s == nil {
		return g
	}
	span := time.Duration(s.Seconds * float64(time.Second)).Round(time.Second)
	text, passes := s.Verdict()
	if span < time.Hour {
		g.Why = fmt.Sprintf("of %v only: %s", span, text)
		return g
	}
	g.Known, g.Why = true, text
	if !passes {
		g.Got = 1
	}
	return g
}

// markdown is the soak's part of the page.
func (s *Soak) markdown(b *strings.Builder, name string) {
	text, _ := s.Verdict()
	span := time.Duration(s.Seconds * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(b, "\n### Soak\n\n`%s`, %s: %s, **%s**", s.Command, s.When, span, text)
	if !s.Pinned {
		b.WriteString(", **not pinned**")
	}
	var cpu, foreign, p99 []float64
	for _, l := range s.Looks {
		cpu, foreign, p99 = append(cpu, l.CPU), append(foreign, l.Noise.Foreign), append(p99, l.Whole99)
	}
	c, f, p := load.SpanOf(cpu), load.SpanOf(foreign), load.SpanOf(p99)
	fmt.Fprintf(b, ". %s at %s requests a second (open loop); %d reloads, after each look. Every look is in `bench/results/%s-soak.json`.\n\n", s.Target, number(s.Rate), s.Reloads, name)
	fmt.Fprintf(b, "| | median | least | most |\n|---|---:|---:|---:|\n")
	fmt.Fprintf(b, "| CPU, of its processor | %.0f %% | %.0f %% | %.0f %% |\n", 100*c.Median, 100*c.Min, 100*c.Max)
	fmt.Fprintf(b, "| p99 of whole answers since the last look, from when each was due, µs | %s | %s | %s |\n", number(p.Median), number(p.Min), number(p.Max))
	fmt.Fprintf(b, "| used by others, of the machine | %.0f %% | %.0f %% | %.0f %% |\n", 100*f.Median, 100*f.Min, 100*f.Max)
	b.WriteString("\n| | second quarter | last quarter | growth an hour, last two thirds | |\n|---|---:|---:|---:|---|\n")
	for _, t := range s.trends() {
		switch {
		case !t.steady:
			fmt.Fprintf(b, "| %s | – | – | – | too short to tell |\n", t.name)
		default:
			verdict := "flat"
			if t.grows {
				verdict = "**grows**"
			}
			fmt.Fprintf(b, "| %s | %s | %s | %+.1f %% | %s |\n", t.name, number(t.second), number(t.last), 100*t.share, verdict)
		}
	}
	b.WriteString("\n| requests | as they should | failed | again, on a new connection | chunks | lost, doubled, reordered, others' |\n|---|---:|---:|---:|---:|---:|\n")
	for _, k := range slices.Sorted(maps.Keys(s.Flows)) {
		t := s.Flows[k]
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d, %d, %d, %d |\n", k, t.Done, t.Failed, t.Unheard, t.Chunks, t.Faults.Lost, t.Faults.Doubled, t.Faults.Reordered, t.Faults.Foreign)
	}
	fmt.Fprintf(b, "\nThe upstream was asked %d times for %d answers.\n", s.Calls, s.Answered)
	for _, k := range slices.Sorted(maps.Keys(s.Flows)) {
		if why := s.Flows[k].Failure; why != "" {
			fmt.Fprintf(b, "\nThe first failure of %s: %s\n", k, why)
		}
	}
	for _, r := range s.Refused {
		fmt.Fprintf(b, "\nA reload was refused: %s\n", r)
	}
}

// Terminal is the soak's part of a page as columns.
func (s *Soak) Terminal(name string) string {
	var b strings.Builder
	s.markdown(&b, name)
	return columnar(b.String())
}

// Add adds a look, each value with what it is good for.
func (s *Soak) Add(l Look) {
	for _, v := range []*float64{&l.At, &l.CPU, &l.Whole99, &l.Noise.Foreign, &l.Noise.Stolen} {
		*v = round(*v)
	}
	s.Looks = append(s.Looks, l)
}

// Write writes the soak as JSON.
func (s *Soak) Write(path string) error {
	raw, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("writing the soak: %w", err)
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// readSoak reads a soak; nil when there is none.
func readSoak(path string) (*Soak, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	s := new(Soak)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}
