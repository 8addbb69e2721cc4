// Package report is what a run of the benchmark found, and how it is shown.
package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/proc"
)

// Baseline is the entry that the others are divided by.
const Baseline = "caddy"

// Sample is one target measured once.
type Sample struct {
	Case   string             `json:"case"`
	Entry  string             `json:"entry"`
	Round  int                `json:"round"`
	Values map[string]float64 `json:"values"`
	Noise  proc.Noise         `json:"noise"`
}

// The names of values. Times are microseconds, memory kilobytes of 1,024 bytes.
const (
	CPU       = "cpu_us_per_request"
	ChunkCPU  = "cpu_us_per_chunk" // is also CPU seconds per million chunks
	Rate      = "requests_per_second"
	PerCPU    = "requests_per_cpu_second"
	P50       = "latency_p50_us"
	P90       = "latency_p90_us"
	P99       = "latency_p99_us"
	P999      = "latency_p999_us"
	First50   = "first_p50_us"
	Delay50   = "chunk_delay_p50_us"
	Delay99   = "chunk_delay_p99_us"
	Chunks    = "chunks_per_second"
	Objects   = "allocs_per_request"
	Bytes     = "alloc_bytes_per_request"
	Failed    = "failed"
	Lost      = "lost"
	Doubled   = "doubled"
	Reordered = "reordered"
	Foreign   = "foreign"
	Late      = "held_back"
	Harness   = "harness_share" // of its processor, used by upstream and load
	RSS       = "rss_kb"
	PerStream = "rss_kb_per_stream"
	Sockets   = "socket_kb_per_stream" // of both sides, by the kernel
	Streams   = "streams"
	Broken    = "broken"
	GoneAfter = "gone_after_us"
)

// Report is a run.
type Report struct {
	Name    string            `json:"name"`
	Command string            `json:"command"`
	When    string            `json:"when"`
	Machine map[string]string `json:"machine"`
	Rounds  int               `json:"rounds"`
	Pinned  bool              `json:"pinned"`
	Load    []float64         `json:"load_average"` // before and after
	Titles  map[string]string `json:"titles"`       // of cases and targets
	Cases   []string          `json:"cases"`
	Absent  map[string]string `json:"absent"` // targets that were not measured, and why
	Notes   []string          `json:"notes"`  // what went otherwise than it should
	Samples []Sample          `json:"samples"`

	Soak *Soak `json:"-"` // of a command of its own, in a file of its own; nil: none
}

// byRound are a value of an entry in each round.
func (r *Report) byRound(name, entry, value string) map[int]float64 {
	out := make(map[int]float64)
	for _, s := range r.Samples {
		if v, ok := s.Values[value]; ok && s.Case == name && s.Entry == entry {
			out[s.Round] = v
		}
	}
	return out
}

// Span is a value over all rounds; its N is 0 when it was not measured.
func (r *Report) Span(name, entry, value string) load.Span {
	return load.SpanOf(slices.Collect(maps.Values(r.byRound(name, entry, value))))
}

// Ratio is a value divided by the baseline's of the same round.
func (r *Report) Ratio(name, entry, value string) load.Span {
	return load.SpanOf(load.Ratios(r.byRound(name, entry, value), r.byRound(name, Baseline, value)))
}

// Total adds a value up over all entries but direct's of which keep says yes.
func (r *Report) Total(value string, keep func(entry string) bool) (sum float64, found bool) {
	for _, s := range r.Samples {
		if v, ok := s.Values[value]; ok && keep(s.Entry) {
			sum, found = sum+v, true
		}
	}
	return sum, found
}

// Entries are those of a case in the order in which they were measured.
func (r *Report) Entries(name string) (out []string) {
	for _, s := range r.Samples {
		if s.Case == name && !slices.Contains(out, s.Entry) {
			out = append(out, s.Entry)
		}
	}
	return out
}

// What may go on beside a run that is called quiet, as shares of the machine.
const (
	quietForeign = 0.05
	quietStolen  = 0.01
)

// Noise is the median of what else went on, the worst, and whether the machine
// was quiet: a run that was not says nothing about differences below a fifth.
func (r *Report) Noise() (foreign, stolen load.Span, quiet bool) {
	var f, s []float64
	for _, sample := range r.Samples {
		f, s = append(f, sample.Noise.Foreign), append(s, sample.Noise.Stolen)
	}
	foreign, stolen = load.SpanOf(f), load.SpanOf(s)
	return foreign, stolen, foreign.Median <= quietForeign && stolen.Median <= quietStolen
}

// title is how a case or an entry is called.
func (r *Report) title(name string) string {
	if t, ok := r.Titles[name]; ok {
		return t
	}
	return name
}

// Write writes the report as JSON.
func (r *Report) Write(path string) error {
	raw, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// Read reads a report, and the soak that is beside it as NAME-soak.json.
func Read(path string) (*Report, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	r.Soak, err = readSoak(strings.TrimSuffix(path, ".json") + "-soak.json")
	return r, err
}

// round keeps what a value is good for: four digits.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// Add adds a sample. Values that are no numbers are left out: JSON has none.
func (r *Report) Add(s Sample) {
	for k, v := range s.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(s.Values, k)
			continue
		}
		s.Values[k] = round(v)
	}
	s.Noise.Foreign, s.Noise.Stolen = round(s.Noise.Foreign), round(s.Noise.Stolen)
	r.Samples = append(r.Samples, s)
}
