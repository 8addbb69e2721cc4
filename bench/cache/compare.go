package main

import (
	"fmt"
	"slices"
	"time"
)

// comparison is of two ways to get the same answer.
type comparison struct {
	name string
	a, b ask // b in proportion to a
}

var comparisons = []comparison{
	{"hit : respond", ask{site: respond}, ask{site: cached, cache: "hit"}},
	{"hit : respond with log and metrics", ask{site: respondLogged}, ask{site: cached, cache: "hit"}},
	{"hit, streamed : respond", ask{site: respondStream, stream: true}, ask{site: cached, stream: true, cache: "hit"}},
	{"miss : no cache", ask{site: proxied, fresh: true}, ask{site: cached, fresh: true, cache: "miss"}},
	{"miss, streamed : no cache", ask{site: proxied, fresh: true, stream: true}, ask{site: cached, fresh: true, stream: true, cache: "miss"}},
}

// busy is how many connections keep a core busy, so that its idle time is not
// counted.
const busy = 16

// compared is a comparison's outcome: a's and b's medians, and the ratios of b to a
// of each round.
type compared struct {
	name             string
	a, b             [3]time.Duration // CPU when busy, p50 and p99 of one connection
	cpu, cpuOne, p50 []float64
}

// compare alternates between the two, so that what else goes on at the machine
// meets both.
func (r *rig) compare(c comparison, rounds int, slot time.Duration) (*compared, error) {
	out := &compared{name: c.name}
	var all [2][3][]time.Duration
	for _, side := range []ask{c.a, c.b} { // connections, pools and the cache are warm
		if side.cache == "hit" {
			side.cache = "miss"
			_, _ = closedLoop(side, r.of(side.site).sites[side.site], time.Now())
			side.cache = "hit"
		}
		if _, err := r.load(side, busy, slot/2); err != nil {
			return nil, err
		}
	}
	for range rounds {
		var one, many [2]sample
		for i, side := range []ask{c.a, c.b} {
			var err error
			if one[i], err = r.load(side, 1, slot); err != nil {
				return nil, err
			}
		}
		for i, side := range []ask{c.a, c.b} {
			var err error
			if many[i], err = r.load(side, busy, slot); err != nil {
				return nil, err
			}
			all[i][0] = append(all[i][0], many[i].cpu)
			all[i][1] = append(all[i][1], one[i].p50)
			all[i][2] = append(all[i][2], one[i].p99)
		}
		out.cpu = append(out.cpu, ratio(many[1].cpu, many[0].cpu))
		out.cpuOne = append(out.cpuOne, ratio(one[1].cpu, one[0].cpu))
		out.p50 = append(out.p50, ratio(one[1].p50, one[0].p50))
	}
	for i := range out.a {
		out.a[i], out.b[i] = median(all[0][i]), median(all[1][i])
	}
	return out, nil
}

func ratio(b, a time.Duration) float64 { return float64(b) / float64(a) }

func median[T float64 | time.Duration](of []T) T {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// spread is the median of ratios and their bounds.
func spread(of []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(of), slices.Min(of), slices.Max(of))
}

func micros(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d.Nanoseconds())/1000) }

// row is the outcome as a row of the page's first table.
func (c *compared) row() string {
	return fmt.Sprintf("| %s | %s : %s | %s | %s | %s : %s | %s | %s : %s |", c.name,
		micros(c.b[0]), micros(c.a[0]), spread(c.cpu), spread(c.cpuOne),
		micros(c.b[1]), micros(c.a[1]), spread(c.p50), micros(c.b[2]), micros(c.a[2]))
}
