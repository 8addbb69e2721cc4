package batch

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		total   int64
		weights []int64
		want    []int64
	}{
		{10, []int64{1, 1, 1}, []int64{4, 3, 3}},
		{10, []int64{0, 0}, []int64{5, 5}},
		{7, []int64{3, 0, 4}, []int64{3, 0, 4}},
		{0, []int64{1, 2}, []int64{0, 0}},
		{1, []int64{1, 2}, []int64{0, 1}},
		{5, []int64{-3, 2}, []int64{0, 5}},
		{math.MaxInt64, []int64{math.MaxInt64, math.MaxInt64}, []int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}},
	} {
		if diff := cmp.Diff(tt.want, Share(tt.total, tt.weights)); diff != "" {
			t.Errorf("%d over %v: %s", tt.total, tt.weights, diff)
		}
	}
}

// TestSharesAddUp holds that no token is lost or made, and that no share is off
// by one or more.
func TestSharesAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		weights := make([]int64, 1+random.IntN(40))
		var sum int64
		for i := range weights {
			weights[i] = random.Int64N(1 << random.IntN(40))
			sum += weights[i]
		}
		total := random.Int64N(1 << random.IntN(50))
		left := total
		for i, share := range Share(total, weights) {
			left -= share
			if sum == 0 {
				continue
			}
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(total), big.NewInt(weights[i])), big.NewInt(sum))
			off := exact.Sub(exact, new(big.Rat).SetInt64(share))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("%d over %v: share %d is %d", total, weights, i, share)
			}
		}
		if left != 0 {
			t.Fatalf("%d over %v leaves %d", total, weights, left)
		}
	}
}
