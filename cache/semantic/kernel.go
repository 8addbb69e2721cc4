package semantic

import "math"

// headDims are the dimensions of every vector that are looked at first. They
// stand together, apart from the rest, so that a search that rules out most rows
// by them reads a sixth of the memory (of 384 dimensions).
const headDims = 64

// maxStages bounds the points at which a row may be ruled out: after 64, 128,
// 256 … dimensions, up to 8192.
const maxStages = 8

// dot is the inner product of two slices, of which b must not be the shorter.
// Eight sums of their own keep the processor's adders busy; each chunk is
// converted to an array, which spares the checks of bounds.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for len(a) >= 16 {
		x, y := (*[16]float32)(a), (*[16]float32)(b)
		s0 += x[0]*y[0] + x[8]*y[8]
		s1 += x[1]*y[1] + x[9]*y[9]
		s2 += x[2]*y[2] + x[10]*y[10]
		s3 += x[3]*y[3] + x[11]*y[11]
		s4 += x[4]*y[4] + x[12]*y[12]
		s5 += x[5]*y[5] + x[13]*y[13]
		s6 += x[6]*y[6] + x[14]*y[14]
		s7 += x[7]*y[7] + x[15]*y[15]
		a, b = a[16:], b[16:]
	}
	sum := ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// norm is a vector's length, 0 for one that is not finite.
func norm(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if n := math.Sqrt(sum); !math.IsNaN(n) && !math.IsInf(n, 0) {
		return n
	}
	return 0
}

// unit appends the vector with the length 1. Its length must not be 0.
func unit(dst, v []float32) []float32 {
	length := norm(v)
	for _, x := range v {
		dst = append(dst, float32(float64(x)/length))
	}
	return dst
}

// stages is how many times a row of so many dimensions may be ruled out.
func stages(dims int) int {
	n := 0
	for end := headDims; end < dims; end *= 2 {
		n++
	}
	return n
}

// rests writes what is left of a vector's length after 64, 128, 256 …
// dimensions: by Cauchy and Schwarz the inner product of two rests is at most
// the product of their lengths.
func rests(dst, v []float32) {
	for i, end := 0, headDims; i < len(dst); i, end = i+1, end*2 {
		dst[i] = float32(norm(v[end:]))
	}
}
