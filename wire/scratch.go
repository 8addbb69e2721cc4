package wire

import "github.com/weirproxy/weir/internal/jsonscan"

// Scratch unescapes strings into a buffer that it keeps, so that an observer
// allocates once per answer and not once per event.
type Scratch struct {
	buf []byte
}

// Bytes returns the text of the string v in data, valid until the next call.
func (s *Scratch) Bytes(data []byte, v jsonscan.Value) []byte {
	if v.Kind != jsonscan.String {
		return nil
	}
	raw := data[v.Start+1 : v.End-1]
	text, _ := v.Text(data, s.buf[:0])
	if len(text) > 0 && &text[0] != &raw[0] {
		s.buf = text[:0]
	}
	return text
}

// String is Bytes as a string that may be kept.
func (s *Scratch) String(data []byte, v jsonscan.Value) string { return string(s.Bytes(data, v)) }
