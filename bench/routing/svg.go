package main

import (
	"fmt"
	"math"
	"strings"
)

// drawn are the policies in the plot, and their colours: those of Okabe and
// Ito, which can be told apart by nearly everybody.
var drawn = []struct{ name, colour string }{
	{"first", "#999999"},
	{"random", "#E69F00"},
	{"round_robin", "#56B4E9"},
	{"least_conn", "#0072B2"},
	{"least_latency", "#009E73"},
	{"least_cost", "#D55E00"},
	{"key_hash", "#CC79A7"},
}

const (
	width, height       = 860, 420
	left, right         = 60, 150
	top, bottom         = 40, 50
	lowest, highest     = 0.5, 32.0 // seconds; the axis is logarithmic
	plotWidth, plotDown = width - left - right, height - top - bottom
)

// drawing plots the p99 of the time to first token over time.
func drawing(results []Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="14">p99 of the time to first token, by the minute: %d targets, %.0f requests/s</text>`+"\n", left, targets, rate)
	minutes := len(results[0].ByMinute)
	for seconds := lowest; seconds <= highest; seconds *= 2 {
		y := yOf(seconds)
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g s</text>`+"\n", left, y, left+plotWidth, y, left-6, y+4, seconds)
	}
	for m := 0; m <= minutes; m += 5 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d min</text>`+"\n", xOf(float64(m), minutes), height-bottom+20, m)
	}
	row := 0
	for _, d := range drawn {
		for _, r := range results {
			if r.Name != d.name {
				continue
			}
			points := make([]string, 0, minutes)
			for m, p99 := range r.ByMinute {
				points = append(points, fmt.Sprintf("%.1f,%.1f", xOf(float64(m)+0.5, minutes), yOf(p99.Seconds())))
			}
			fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", d.colour, strings.Join(points, " "))
			y := top + 10 + 22*row
			fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="3"/><text x="%d" y="%d">%s</text>`+"\n",
				width-right+14, y, width-right+38, y, d.colour, width-right+44, y+4, d.name)
			row++
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func xOf(minute float64, minutes int) float64 {
	return left + plotWidth*minute/float64(minutes)
}

func yOf(seconds float64) float64 {
	seconds = min(max(seconds, lowest), highest)
	return top + plotDown*(1-math.Log2(seconds/lowest)/math.Log2(highest/lowest))
}
