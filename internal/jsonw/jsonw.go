// Package jsonw writes JSON by appending: no reflection, no map, the order of
// members is the order of the calls. Dialects encode with it so that equal
// requests become equal bytes, which providers' prompt caches depend on.
package jsonw

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Writer appends JSON to B. It places commas by looking at the last byte, so
// a value may be appended by other means in between; B may begin with text
// that ends in a space, such as "data: ". The caller keeps the brackets even.
type Writer struct {
	B []byte
}

// next places the comma that the next name or value needs.
func (w *Writer) next() {
	if len(w.B) == 0 {
		return
	}
	switch w.B[len(w.B)-1] {
	case '{', '[', ':', ',', ' ', '\n':
	default:
		w.B = append(w.B, ',')
	}
}

// Object opens an object, End closes it; Array and EndArray likewise.
func (w *Writer) Object() {
	w.next()
	w.B = append(w.B, '{')
}

// End closes an object.
func (w *Writer) End() { w.B = append(w.B, '}') }

// Array opens an array.
func (w *Writer) Array() {
	w.next()
	w.B = append(w.B, '[')
}

// EndArray closes an array.
func (w *Writer) EndArray() { w.B = append(w.B, ']') }

// Key writes the name of a member. It must need no escapes.
func (w *Writer) Key(name string) {
	w.next()
	w.B = append(w.B, '"')
	w.B = append(w.B, name...)
	w.B = append(w.B, '"', ':')
}

// String writes a string.
func (w *Writer) String(s string) {
	w.next()
	w.B = jsonscan.AppendString(w.B, s)
}

// Append goes on with the string that was written last, on a new line where
// line says so.
func (w *Writer) Append(s string, line bool) {
	w.B = w.B[:len(w.B)-1] // its closing quote
	if line {
		w.B = append(w.B, `\n`...)
	}
	// The last byte stands where the opening quote of s is written, and comes
	// back there.
	at := len(w.B) - 1
	last := w.B[at]
	w.B = jsonscan.AppendString(w.B[:at], s)
	w.B[at] = last
}

// Int writes a whole number.
func (w *Writer) Int(n int64) {
	w.next()
	w.B = strconv.AppendInt(w.B, n, 10)
}

// Bool writes true or false.
func (w *Writer) Bool(b bool) {
	w.next()
	w.B = strconv.AppendBool(w.B, b)
}

// Null writes null.
func (w *Writer) Null() {
	w.next()
	w.B = append(w.B, "null"...)
}

// Raw writes a value that is JSON already; an empty one is null.
func (w *Writer) Raw(raw string) {
	if raw == "" {
		w.Null()
		return
	}
	w.next()
	w.B = append(w.B, raw...)
}

// Text writes a string from bytes, which need not outlive the call.
func (w *Writer) Text(b []byte) {
	w.next()
	w.B = jsonscan.AppendString(w.B, view(b))
}

// The rest are members whose name and value come together.

// Str writes the member name: s.
func (w *Writer) Str(name, s string) { w.Key(name); w.String(s) }

// StrIf writes the member unless s is empty.
func (w *Writer) StrIf(name, s string) {
	if s != "" {
		w.Str(name, s)
	}
}

// Num writes the member name: n.
func (w *Writer) Num(name string, n int64) { w.Key(name); w.Int(n) }

// NumIf writes the member unless n is 0.
func (w *Writer) NumIf(name string, n int64) {
	if n != 0 {
		w.Num(name, n)
	}
}

// Flag writes the member name: b.
func (w *Writer) Flag(name string, b bool) { w.Key(name); w.Bool(b) }

// RawMember writes the member name: raw.
func (w *Writer) RawMember(name, raw string) { w.Key(name); w.Raw(raw) }

// RawIf writes the member unless raw is empty.
func (w *Writer) RawIf(name, raw string) {
	if raw != "" {
		w.RawMember(name, raw)
	}
}
