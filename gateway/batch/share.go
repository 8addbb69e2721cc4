package batch

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/weirproxy/weir/wire/embedding"
)

// Share divides total, which is not negative, in proportion to weights. The
// shares are whole and add up to it: what rounding leaves goes to the largest
// remainders, the first of equal ones before the others.
func Share(total int64, weights []int64) []int64 {
	shares := make([]int64, len(weights))
	var sum uint64
	for _, w := range weights {
		sum += uint64(max(w, 0))
	}
	weight := func(i int) uint64 { return uint64(max(weights[i], 0)) }
	if sum == 0 { // nothing is known of any
		sum, weight = uint64(len(weights)), func(int) uint64 { return 1 }
	}
	type remainder struct {
		at   int
		left uint64
	}
	remainders := make([]remainder, len(weights))
	rest := total
	for i := range weights {
		high, low := bits.Mul64(uint64(total), weight(i))
		share, left := bits.Div64(high, low, sum)
		shares[i], remainders[i] = int64(share), remainder{i, left}
		rest -= int64(share)
	}
	slices.SortStableFunc(remainders, func(a, b remainder) int { return cmp.Compare(b.left, a.left) })
	for i := range int(rest) {
		shares[remainders[i].at]++
	}
	return shares
}

// shareUsage divides each count of a usage.
func shareUsage(usage embedding.Usage, weights []int64) []embedding.Usage {
	shares := make([]embedding.Usage, len(weights))
	for count := range usage {
		if usage[count] < 0 {
			for i := range shares {
				shares[i][count] = -1
			}
			continue
		}
		for i, share := range Share(usage[count], weights) {
			shares[i][count] = share
		}
	}
	return shares
}
