package wire

import (
	"bytes"
	"iter"
	"unsafe"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Doc is a parsed JSON text with the accessors that decoders need. Absent
// members and values of another kind read as empty.
type Doc struct {
	Data    []byte
	Root    jsonscan.Value
	Texts   *Texts // where Long puts texts; may be nil
	scratch Scratch
}

// RequestDoc is the document of a request that an [Envelope] has checked, with
// memory for its texts; ok is false when it is no object.
func RequestDoc(body []byte) (d *Doc, ok bool) {
	trimmed := bytes.TrimRight(body, " \t\r\n")
	start := bytes.IndexByte(trimmed, '{')
	if start < 0 || len(bytes.TrimLeft(trimmed[:start], " \t\r\n")) > 0 {
		return nil, false
	}
	root := jsonscan.Value{Kind: jsonscan.ObjectKind, Start: start, End: len(trimmed)}
	return &Doc{Data: body, Root: root, Texts: newTexts(len(body))}, true
}

// ParseDoc checks data and returns it as a document. The limits are those of
// answers.
func ParseDoc(data []byte) (*Doc, error) {
	d := new(Doc)
	return d, d.Reset(data)
}

// Reset makes d the document of data, keeping its buffers.
func (d *Doc) Reset(data []byte) (err error) {
	d.Data = data
	d.Root, err = ParseAnswer(data)
	return err
}

// Get is the member of v at path.
func (d *Doc) Get(v jsonscan.Value, path ...string) jsonscan.Value {
	return jsonscan.Lookup(d.Data, v, path...)
}

// Members iterates over an object's names and values. Names come unescaped
// and are valid until the next one.
func (d *Doc) Members(v jsonscan.Value) iter.Seq2[string, jsonscan.Value] {
	return func(yield func(string, jsonscan.Value) bool) {
		for key, value := range jsonscan.Members(d.Data, v) {
			raw := d.Data[key.Start+1 : key.End-1]
			for _, c := range raw {
				if c == '\\' {
					raw, _ = key.Text(d.Data, nil)
					break
				}
			}
			if !yield(unsafe.String(unsafe.SliceData(raw), len(raw)), value) {
				return
			}
		}
	}
}

// Elements iterates over an array.
func (d *Doc) Elements(v jsonscan.Value) iter.Seq[jsonscan.Value] {
	return jsonscan.Elements(d.Data, v)
}

// Bytes is the text of a string, valid until the next call.
func (d *Doc) Bytes(v jsonscan.Value) []byte { return d.scratch.Bytes(d.Data, v) }

// Str is the text of a string, to keep.
func (d *Doc) Str(v jsonscan.Value) string {
	if v.End-v.Start < shortText {
		return d.scratch.String(d.Data, v)
	}
	text, _ := v.Text(d.Data, nil)
	if len(text) == 0 || &text[0] == &d.Data[v.Start+1] {
		return string(text)
	}
	return unsafe.String(&text[0], len(text)) // a copy of its own
}

// shortText is the length below which a text is not worth a buffer of its own.
const shortText = 256

// Long is Str for a text of a message, which may be long: it lies in d's Texts,
// if there are some.
func (d *Doc) Long(v jsonscan.Value) string {
	if text, ok := d.Texts.unescape(d.Data, v); ok {
		return text
	}
	return d.Str(v)
}

// StrAt is the text of the string at path.
func (d *Doc) StrAt(v jsonscan.Value, path ...string) string { return d.Str(d.Get(v, path...)) }

// Raw is the JSON of v as spelled, to keep; empty when v is absent or null.
func (d *Doc) Raw(v jsonscan.Value) string {
	if v.Kind == jsonscan.Invalid || v.Kind == jsonscan.Null {
		return ""
	}
	return string(v.Raw(d.Data))
}

// LongRaw is Raw for what is part of a message, like Long.
func (d *Doc) LongRaw(v jsonscan.Value) string {
	if v.Kind == jsonscan.Invalid || v.Kind == jsonscan.Null {
		return ""
	}
	if text, ok := d.Texts.keep(v.Raw(d.Data)); ok {
		return text
	}
	return d.Raw(v)
}

// RawAt is the JSON at path.
func (d *Doc) RawAt(v jsonscan.Value, path ...string) string { return d.Raw(d.Get(v, path...)) }

// Num is a number as spelled; empty when v is none.
func (d *Doc) Num(v jsonscan.Value) Number {
	if v.Kind != jsonscan.Number {
		return ""
	}
	return Number(v.Raw(d.Data))
}

// Int is a whole number, 0 when v is none.
func (d *Doc) Int(v jsonscan.Value) int64 {
	n, _ := v.Int(d.Data)
	return n
}

// IntAt is the whole number at path.
func (d *Doc) IntAt(v jsonscan.Value, path ...string) int64 { return d.Int(d.Get(v, path...)) }

// Bool is true when v is true.
func (d *Doc) Bool(v jsonscan.Value) bool {
	b, ok := v.Bool(d.Data)
	return ok && b
}

// Tri is a boolean that may be absent.
func (d *Doc) Tri(v jsonscan.Value) Tri {
	b, ok := v.Bool(d.Data)
	if !ok {
		return Unset
	}
	return TriOf(b)
}

// Strings is a string, or an array of strings, to keep.
func (d *Doc) Strings(v jsonscan.Value) []string {
	if v.Kind == jsonscan.String {
		return []string{d.Str(v)}
	}
	var list []string
	for e := range d.Elements(v) {
		if e.Kind == jsonscan.String {
			list = append(list, d.Str(e))
		}
	}
	return list
}
