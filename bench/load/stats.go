package load

import (
	"cmp"
	"math"
	"slices"
)

// Percentile returns the value below which the share p (0 to 1) of sorted lies,
// by the nearest-rank method: always a value that was measured. NaN when
// nothing was.
func Percentile[T ~int64 | ~float64](sorted []T, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return float64(sorted[min(max(rank, 1), len(sorted))-1])
}

// Median is the middle value, or the mean of the two in the middle.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// Span is a median with the extremes around it.
type Span struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// SpanOf ignores values that are no numbers. N is 0 when none is left.
func SpanOf(values []float64) Span {
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(values) == 0 {
		return Span{}
	}
	return Span{Median: Median(values), Min: slices.MinFunc(values, cmp.Compare), Max: slices.MaxFunc(values, cmp.Compare), N: len(values)}
}

// Ratios divides what one target showed by what the baseline showed in the same
// round, by round. Rounds that one of them lacks, or in which the baseline is
// 0, have no ratio.
func Ratios(target, baseline map[int]float64) []float64 {
	var out []float64
	for round, v := range target {
		if b, ok := baseline[round]; ok && b != 0 && !math.IsNaN(b) && !math.IsNaN(v) {
			out = append(out, v/b)
		}
	}
	slices.Sort(out)
	return out
}
