package sse

import (
	"bytes"
	"strings"
)

// AppendEvent appends one event with LF line ends: an `event` line unless name
// is empty, and a `data` line for each line of data, however they are ended.
// Clients fail on an event without data; the caller does not send one.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(append(dst, firstLine(name)...), '\n')
	}
	for more := true; more; {
		var line []byte
		line, data, more = bytes.Cut(data, lf)
		if more {
			line = bytes.TrimSuffix(line, cr) // CRLF is one line end
		}
		dst = appendData(dst, line)
	}
	return append(dst, '\n')
}

var lf, cr = []byte("\n"), []byte("\r")

// appendData appends a data line for each part of line between its CRs, which
// would end it: JSON has none, but a forwarded body may be anything.
func appendData(dst, line []byte) []byte {
	for more := true; more; {
		var part []byte
		part, line, more = bytes.Cut(line, cr)
		dst = append(append(append(dst, "data: "...), part...), '\n')
	}
	return dst
}

// AppendComment appends a comment block, one comment line for each line of
// text: the keep-alive that clients of the OpenAI dialect ignore.
func AppendComment(dst []byte, text string) []byte {
	for {
		i := strings.IndexAny(text, "\r\n")
		dst = append(dst, ':')
		if text != "" && i != 0 {
			dst = append(dst, ' ')
		}
		if i < 0 {
			return append(append(dst, text...), '\n', '\n')
		}
		dst = append(append(dst, text[:i]...), '\n')
		if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			i++
		}
		text = text[i+1:]
	}
}

// firstLine keeps a name from ending its line and forging another field.
func firstLine(s string) string {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}
