package report

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// column is a value in the table of a case.
type column struct {
	head, value string
	ratio       bool
}

var columns = []column{
	{"CPU, µs/request", CPU, false},
	{"×", CPU, true},
	{"CPU, µs/chunk", ChunkCPU, false},
	{"×", ChunkCPU, true},
	{"requests/s", Rate, false},
	{"chunks/s", Chunks, false},
	{"p50, µs", P50, false},
	{"p90", P90, false},
	{"p99", P99, false},
	{"p99.9", P999, false},
	{"first token p50, µs", First50, false},
	{"chunk delay p50, µs", Delay50, false},
	{"p99", Delay99, false},
	{"allocations", Objects, false},
	{"bytes allocated", Bytes, false},
	{"open", Streams, false},
	{"KB/stream", PerStream, false},
	{"×", PerStream, true},
	{"kernel KB/stream", Sockets, false},
	{"RSS, KB", RSS, false},
	{"broken", Broken, false},
	{"gone after, µs", GoneAfter, false},
	{"load and upstream, of their processor", Harness, false},
	{"failed", Failed, false},
}

// Markdown is the report as a page. dir is where its plots are, seen from the
// page; empty for none.
func (r *Report) Markdown(dir string) string {
	var b strings.Builder
	r.about(&b)
	b.WriteString("\n### What it is to show\n\n")
	b.WriteString("Figures with × are divided by those of Caddy's `reverse_proxy` in the same round: the median of all rounds, and the least and most of them.\n\n")
	b.WriteString("| # | Figure | Gate | Aim | This run | |\n|---|---|---:|---:|---:|---|\n")
	for _, g := range r.Gates() {
		b.WriteString(g.row())
	}
	for _, plot := range r.Plots() {
		if dir != "" {
			fmt.Fprintf(&b, "\n![%s](%s/%s-%s.svg)\n", plot.Title, dir, r.Name, plot.Name)
		}
	}
	if r.Soak != nil {
		r.Soak.markdown(&b, r.Name)
	}
	b.WriteString("\n### All figures\n\nMedians over the rounds.\n")
	for _, c := range r.Cases {
		r.table(&b, c)
	}
	return b.String()
}

// about says of what machine and what moment the figures are.
func (r *Report) about(b *strings.Builder) {
	foreign, stolen, quiet := r.Noise()
	if !quiet {
		b.WriteString("**The machine was not quiet while this was measured: the figures show that the benchmark works, and little else.**\n\n")
	}
	fmt.Fprintf(b, "`%s`, %s, %d rounds", r.Command, r.When, r.Rounds)
	if !r.Pinned {
		b.WriteString(", **not pinned**: gateway, upstream and load share the processors")
	}
	b.WriteString(".\n\n| | |\n|---|---|\n")
	for _, k := range slices.Sorted(maps.Keys(r.Machine)) {
		fmt.Fprintf(b, "| %s | %s |\n", k, r.Machine[k])
	}
	fmt.Fprintf(b, "| used by others meanwhile | median %.1f %%, at most %.1f %% of the machine |\n", 100*foreign.Median, 100*foreign.Max)
	fmt.Fprintf(b, "| stolen by the host | median %.1f %%, at most %.1f %% |\n", 100*stolen.Median, 100*stolen.Max)
	if len(r.Load) == 2 {
		fmt.Fprintf(b, "| load average before, after | %.2f, %.2f |\n", r.Load[0], r.Load[1])
	}
	for _, k := range slices.Sorted(maps.Keys(r.Absent)) {
		fmt.Fprintf(b, "| not measured: %s | %s |\n", k, r.Absent[k])
	}
	if len(r.Notes) > 0 {
		b.WriteString("\nWhat went otherwise than it should:\n\n")
		for _, n := range r.Notes {
			fmt.Fprintf(b, "- %s\n", n)
		}
	}
}

func (g *Gate) row() string {
	if g.Row == "17" {
		got := "–"
		if g.Known {
			got = "**missed**"
			if g.Passes() {
				got = "aim reached"
			}
		}
		return fmt.Sprintf("| %s | %s | flat | | %s | %s |\n", g.Row, g.Figure, got, g.Why)
	}
	sign := "≤ "
	limit := func(v float64) string { return sign + number(v) + g.Unit }
	if !g.Known {
		return fmt.Sprintf("| %s | %s | %s | %s | – | %s |\n", g.Row, g.Figure, limit(g.Gate), limit(g.Aim), g.Why)
	}
	verdict := "**missed**"
	switch {
	case g.Reaches():
		verdict = "aim reached"
	case g.Passes():
		verdict = "within the gate"
	}
	if g.Aside != "" {
		verdict += "; " + g.Aside
	}
	got := number(g.Got)
	if !math.IsNaN(g.Min) && g.Min != g.Max {
		got += fmt.Sprintf(" (%s–%s)", number(g.Min), number(g.Max))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s%s | %s |\n", g.Row, g.Figure, limit(g.Gate), limit(g.Aim), got, g.Unit, verdict)
}

// number writes v with what is worth reading of it.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 20:
		return fmt.Sprintf("%.1f", v)
	case a == math.Trunc(a):
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func (r *Report) table(b *strings.Builder, name string) {
	entries := r.Entries(name)
	var shown []column
	for _, c := range columns {
		if slices.ContainsFunc(entries, func(e string) bool { return r.cell(name, e, c) != "" }) {
			shown = append(shown, c)
		}
	}
	fmt.Fprintf(b, "\n**%s** (`%s`)\n\n| |", r.title(name), name)
	for _, c := range shown {
		fmt.Fprintf(b, " %s |", c.head)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(shown)) + "\n")
	for _, e := range entries {
		fmt.Fprintf(b, "| %s |", r.title(e))
		for _, c := range shown {
			fmt.Fprintf(b, " %s |", r.cell(name, e, c))
		}
		b.WriteByte('\n')
	}
}

func (r *Report) cell(name, entry string, c column) string {
	if !c.ratio {
		s := r.Span(name, entry, c.value)
		if s.N == 0 || c.value == Failed && s.Max == 0 {
			return ""
		}
		return number(s.Median)
	}
	s := r.Ratio(name, entry, c.value)
	switch {
	case s.N == 0:
		return ""
	case s.N == 1:
		return fmt.Sprintf("%.2f", s.Median)
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max)
}

// The marks between which a page holds a report.
const (
	opening = "<!-- what follows is written by bench -->\n"
	closing = "<!-- the end of what bench has written -->\n"
)

// Splice puts content into page, between its marks.
func Splice(page []byte, content string) ([]byte, error) {
	before, rest, ok1 := bytes.Cut(page, []byte(opening))
	_, after, ok2 := bytes.Cut(rest, []byte(closing))
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the page has no place for the report, which begins with %q", opening)
	}
	return bytes.Join([][]byte{before, []byte(opening), []byte("\n"), []byte(content), []byte("\n"), []byte(closing), after}, nil), nil
}
