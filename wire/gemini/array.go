package gemini

import "bytes"

// Array turns the events of a stream into the JSON array that
// streamGenerateContent answers without alt=sse. The zero value is ready; it
// belongs to one answer.
type Array struct {
	begun bool
}

var dataField = []byte("data:")

// Append appends the elements for frames, whole events with one data line each.
func (a *Array) Append(dst, frames []byte) []byte {
	for len(frames) > 0 {
		var line []byte
		line, frames, _ = bytes.Cut(frames, []byte("\n"))
		data, ok := bytes.CutPrefix(line, dataField)
		if data = bytes.TrimSpace(data); !ok || len(data) == 0 {
			continue
		}
		if a.begun {
			dst = append(dst, ",\r\n"...)
		} else {
			dst = append(dst, '[')
			a.begun = true
		}
		dst = append(dst, data...)
	}
	return dst
}

// Close appends the end of the array.
func (a *Array) Close(dst []byte) []byte {
	if !a.begun {
		a.begun = true
		dst = append(dst, '[')
	}
	return append(dst, "]\r\n"...)
}
