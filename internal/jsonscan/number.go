package jsonscan

import "strconv"

// Int returns the integer that the number is, also when it is spelled with a
// fraction or an exponent (1.0, 1e3); ok is false when it is not a number, not
// integral, or outside int64.
func (v Value) Int(body []byte) (n int64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	raw := body[v.Start:v.End]
	neg := raw[0] == '-'
	if neg {
		raw = raw[1:]
	}
	u, ok := integral(raw)
	switch {
	case !ok || u > 1<<63 || (u == 1<<63 && !neg):
		return 0, false
	case neg:
		return -int64(u), true // 1<<63 wraps to the smallest int64, as it should
	}
	return int64(u), true
}

// Float returns the nearest float64; ok is false when it is not a number or
// overflows.
func (v Value) Float(body []byte) (f float64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(body[v.Start:v.End]), 64)
	return f, err == nil
}

// integral returns the value of an unsigned JSON number whose value is an
// integer below 2^64. Zeros are held back until another digit follows, so that
// 10000000000000000000000e-3 needs no wide arithmetic.
func integral(raw []byte) (u uint64, ok bool) {
	var zeros, scale int64
	i, frac := 0, false
digits:
	for ; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '.':
			frac = true
			continue
		case c == 'e' || c == 'E':
			break digits
		}
		if frac {
			scale--
		}
		if c == '0' {
			zeros++
			continue
		}
		if u, ok = shift(u, zeros); !ok {
			return 0, false
		}
		zeros = 0
		if u, ok = pushDigit(u, c-'0'); !ok {
			return 0, false
		}
	}
	if u == 0 {
		return 0, true
	}
	if i < len(raw) {
		scale += exponent(raw[i+1:])
	}
	if scale += zeros; scale < 0 {
		return 0, false
	}
	return shift(u, scale)
}

// exponent saturates far outside what any number of digits could balance.
func exponent(raw []byte) int64 {
	neg := raw[0] == '-'
	if neg || raw[0] == '+' {
		raw = raw[1:]
	}
	var e int64
	for _, c := range raw {
		if e < 1<<50 {
			e = e*10 + int64(c-'0')
		}
	}
	if neg {
		return -e
	}
	return e
}

// shift multiplies u by ten n times.
func shift(u uint64, n int64) (uint64, bool) {
	if u == 0 {
		return 0, true
	}
	if n > 20 {
		return 0, false
	}
	for range n {
		next, ok := pushDigit(u, 0)
		if !ok {
			return 0, false
		}
		u = next
	}
	return u, true
}

func pushDigit(u uint64, d byte) (uint64, bool) {
	const most = ^uint64(0)
	if u > (most-uint64(d))/10 {
		return 0, false
	}
	return u*10 + uint64(d), true
}
