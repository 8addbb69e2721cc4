package canon

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// order says what becomes of the members of objects.
type order bool

const (
	// asWritten is for schemas, whose order is that in which models write their
	// answers, and for all that is not known.
	asWritten order = false

	// sorted is for data.
	sorted order = true
)

// appendJSON appends v, a value in valid JSON, without white space, in one
// spelling of its strings and numbers. Members that stand twice both stay, in
// their order.
func appendJSON(dst, data []byte, v jsonscan.Value, how order) []byte {
	switch v.Kind {
	case jsonscan.Number:
		return appendNumber(dst, v.Raw(data))
	case jsonscan.String:
		return appendString(dst, data, v)
	case jsonscan.Array:
		dst = append(dst, '[')
		for e := range jsonscan.Elements(data, v) {
			dst = append(appendJSON(dst, data, e, how), ',')
		}
		return append(dst, ']')
	case jsonscan.ObjectKind:
		dst = append(dst, '{')
		if how == sorted {
			for _, m := range membersOf(nil, data, v) {
				dst = append(jsonscan.AppendString(dst, string(m.name)), ':')
				dst = append(appendJSON(dst, data, m.value, how), ',')
			}
			return append(dst, '}')
		}
		for key, val := range jsonscan.Members(data, v) {
			dst = append(appendString(dst, data, key), ':')
			dst = append(appendJSON(dst, data, val, how), ',')
		}
		return append(dst, '}')
	default:
		return append(dst, v.Raw(data)...)
	}
}

// appendString keeps a string with half of a surrogate pair as it is spelled:
// unescaped it would be that of another.
func appendString(dst, data []byte, v jsonscan.Value) []byte {
	raw := v.Raw(data)
	if bytes.IndexByte(raw, '\\') >= 0 && loneSurrogate(raw) {
		return append(dst, raw...)
	}
	text, _ := v.Text(data, nil)
	return jsonscan.AppendString(dst, string(text))
}

// loneSurrogate reports whether JSON has an escaped half of a surrogate pair
// without the other half.
func loneSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 >= len(data) {
			return false
		}
		if data[i+1] != 'u' {
			data = data[i+2:]
			continue
		}
		unit := hex4(data[i+2:])
		data = data[min(i+6, len(data)):]
		switch {
		case unit < 0xd800 || unit > 0xdfff:
		case unit >= 0xdc00 || len(data) < 6 || data[0] != '\\' || data[1] != 'u':
			return true
		default:
			if low := hex4(data[2:]); low < 0xdc00 || low > 0xdfff {
				return true
			}
			data = data[6:]
		}
	}
}

// hex4 is the number in four hexadecimal digits, 0 when they are not there.
func hex4(data []byte) uint64 {
	if len(data) < 4 {
		return 0
	}
	n, err := strconv.ParseUint(string(data[:4]), 16, 16)
	if err != nil {
		return 0
	}
	return n
}

// member is a member of an object, its name unescaped.
type member struct {
	name  []byte
	value jsonscan.Value
}

// membersOf appends the members of the object v in the order of their names;
// those of one name stay in the order in which they are written.
func membersOf(dst []member, data []byte, v jsonscan.Value) []member {
	first := len(dst)
	for key, val := range jsonscan.Members(data, v) {
		name, _ := key.Text(data, nil)
		dst = append(dst, member{name, val})
	}
	slices.SortStableFunc(dst[first:], func(a, b member) int { return bytes.Compare(a.name, b.name) })
	return dst
}

// appendNumber appends the JSON number n as digits without zeros at either end
// and a power of ten: 1, 1.0 and 10e-1 are all `1`. It is exact, whatever a
// float could hold. What is no number stays as it is.
func appendNumber(dst, n []byte) []byte {
	rest := n
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	mantissa, exponent := rest, int64(0)
	if i := bytes.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		// A power that fits no int32 is compared by its spelling.
		power, err := strconv.ParseInt(string(rest[i+1:]), 10, 32)
		if err != nil {
			return append(dst, n...)
		}
		exponent = power
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	exponent -= int64(len(fraction))
	first := len(dst)
	if negative {
		dst = append(dst, '-')
	}
	at := len(dst)
	for _, part := range [...][]byte{whole, fraction} {
		for _, c := range part {
			switch {
			case c < '0' || c > '9':
				return append(dst[:first], n...)
			case c != '0' || len(dst) > at:
				dst = append(dst, c)
			}
		}
	}
	if len(dst) == at {
		return append(dst[:first], '0')
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
		exponent++
	}
	if exponent == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, 'e'), exponent, 10)
}
