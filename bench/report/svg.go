package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"

	"github.com/weirproxy/weir/bench/load"
)

// Plot is a picture of some figures.
type Plot struct {
	Name, Title string
	bars        []bar
	line        float64 // where a line across is drawn; 0: none
}

type bar struct {
	label string
	load.Span
}

// Plots are the pictures of the report; what was not measured has none.
func (r *Report) Plots() (plots []Plot) {
	add := func(name, title, value string, ratio bool, line float64, cases ...string) {
		p := Plot{Name: name, Title: title, line: line}
		for _, c := range cases {
			for _, e := range r.Entries(c) {
				s := r.Span(c, e, value)
				if ratio {
					s = r.Ratio(c, e, value)
				}
				if s.N == 0 || e == "direct" {
					continue
				}
				label := r.title(e)
				if len(cases) > 1 {
					label += ", " + r.title(c)
				}
				p.bars = append(p.bars, bar{label, s})
			}
		}
		if len(p.bars) > 0 {
			plots = append(plots, p)
		}
	}
	add("cpu", "CPU per request, by size of the prompt; 1 is Caddy's reverse_proxy", CPU, true, 1, "chat-1k", "chat-20k", "chat-200k")
	add("chunks", "CPU per chunk of a stream; 1 is Caddy's reverse_proxy", ChunkCPU, true, 1, "chunks")
	add("latency", "p99 of 1 KB requests, 1,000 a second, µs", P99, false, 0, "steady")
	add("delay", "p99 of the delay of a chunk at 10,000 chunks a second, µs", Delay99, false, 0, "chunks")
	add("memory", "memory per open stream, KB", PerStream, false, 0, "hold-5000")
	return plots
}

// SVG draws lying bars with the least and most of the rounds.
func (p *Plot) SVG() string {
	const left, width, height, top = 330, 400, 22, 40
	most := p.line
	for _, b := range p.bars {
		most = max(most, b.Max)
	}
	step := niceStep(most)
	top10 := math.Ceil(most/step) * step
	x := func(v float64) float64 { return left + v/top10*width }
	bottom := top + height*len(p.bars)
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", left+width+90, bottom+30)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="20" font-size="14">%s</text>`+"\n", escape(p.Title))
	for v := 0.0; v <= top10*1.001; v += step {
		fmt.Fprintf(&s, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666">%s</text>`+"\n", x(v), top-6, x(v), bottom, x(v), bottom+16, number(v))
	}
	if p.line > 0 {
		fmt.Fprintf(&s, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#c33" stroke-dasharray="4 3"/>`+"\n", x(p.line), top-6, x(p.line), bottom)
	}
	for i, b := range p.bars {
		y := top + i*height
		colour := "#9ab"
		if strings.Contains(strings.ToLower(b.label), "weir") || strings.HasPrefix(b.label, "full") || strings.HasPrefix(b.label, "…") {
			colour = "#27a"
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+13, escape(b.label))
		fmt.Fprintf(&s, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y+2, x(b.Median)-left, height-7, colour)
		if b.N > 1 {
			fmt.Fprintf(&s, `<path d="M%.1f %dH%.1f" stroke="#000"/>`, x(b.Min), y+9, x(b.Max))
		}
		fmt.Fprintf(&s, `<text x="%.1f" y="%d">%s</text>`+"\n", x(b.Max)+5, y+13, number(b.Median))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// niceStep is a round number of which most has at most eight.
func niceStep(most float64) float64 {
	if most <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most))-1)
	for _, f := range []float64{1, 2, 5, 10, 20} {
		if most/(step*f) <= 8 {
			return step * f
		}
	}
	return step * 20
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
