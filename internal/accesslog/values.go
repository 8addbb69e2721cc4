package accesslog

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// appendFloat appends a number as zap does: without an exponent, and what is none as
// text.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"+Inf"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Inf"`...)
	}
	// Most are milliseconds with their microseconds, as timings are. Fifteen digits
	// name one number only, so that these are the shortest that do.
	if n := int64(v * 1000); bits == 64 && n > 0 && n < 1e15 && float64(n)/1000 == v {
		dst = strconv.AppendInt(dst, n/1000, 10)
		if n %= 1000; n > 0 {
			dst = append(dst, '.', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
			for dst[len(dst)-1] == '0' {
				dst = dst[:len(dst)-1]
			}
		}
		return dst
	}
	return strconv.AppendFloat(dst, v, 'f', -1, bits)
}

// reflected is the JSON of any value. Its error stands in the line, as it is.
func reflected(v any) ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
