package simulator

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// raw is JSON, or another piece of the output, that is appended as it is.
type raw []byte

// null is the JSON value.
var null = raw("null")

// format appends pattern to dst with every '?' replaced by the next argument:
// strings become JSON strings, nil becomes null and raw stays as it is. The patterns are
// literal JSON, so the order of keys is the vendors' and stays so.
func format(dst []byte, pattern string, args ...any) []byte {
	for i := range len(pattern) {
		c := pattern[i]
		if c != '?' {
			dst = append(dst, c)
			continue
		}
		dst = appendValue(dst, args[0])
		args = args[1:]
	}
	return dst
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case raw:
		return append(dst, v...)
	case string:
		return jsonscan.AppendString(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case bool:
		return strconv.AppendBool(dst, v)
	}
	panic("simulator: format argument of another type")
}

// data appends a `data:` event as OpenAI's chat streams have it.
func data(dst []byte, pattern string, args ...any) []byte {
	dst = append(dst, "data: "...)
	dst = format(dst, pattern, args...)
	return append(dst, "\n\n"...)
}

// event appends an event with its name, as Responses and Messages have it.
func event(dst []byte, name, pattern string, args ...any) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, '\n')
	return data(dst, pattern, args...)
}

// compact is the value on one line, as an event needs it; absent: null.
func compact(v json.RawMessage) raw {
	if len(v) == 0 {
		return null
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return null
	}
	return b.Bytes()
}

// indent is the layout of OpenAI's bodies.
func indent(compact []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, compact, "", "  ") != nil {
		return compact
	}
	b.WriteByte('\n')
	return b.Bytes()
}

const padding = "Hv7qlnufw6euDAEW65QnF"

// pad is the obfuscation that OpenAI adds to deltas: it brings them to a
// multiple of 16 characters against observers of encrypted streams.
func pad(n int) string { return padding[:(16-n%16)%16] }
