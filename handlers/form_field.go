package handlers

import (
	"bytes"
	"mime"
	"mime/multipart"
	"slices"
	"strings"

	"github.com/weirproxy/weir/gateway"
)

// decisive are the fields of forms whose values something rests on.
var decisive = []string{"model", "stream", "temperature"}

// fieldName returns the name of a part. What upstreams might read as another
// name than the gateway does is refused: they differ in what they make of a
// parameter that stands twice or is encoded (RFC 7578, 4.2 lets nobody encode
// it), and of a backslash.
func fieldName(part *multipart.Part) (string, error) {
	lines := part.Header["Content-Disposition"]
	if len(lines) != 1 {
		return "", gateway.Invalid("", "a part of the form has no Content-Disposition, or more than one")
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	name := params["name"]
	if err != nil || kind != "form-data" || name == "" || strings.Contains(name, `\`) || encodesName(lines[0]) {
		return "", gateway.Invalid("", "the name of a part of the form is missing or not plain")
	}
	for _, field := range decisive {
		if !strings.EqualFold(strings.TrimSpace(name), field) {
			continue
		}
		if name != field {
			return "", severalFields(field)
		}
		if !plainField(part) {
			return "", gateway.Invalid(field, "the form's field '%s' must be plain text", field)
		}
	}
	return name, nil
}

func severalFields(field string) error {
	return gateway.Invalid(field, "the form names '%s' more than once or in another spelling", field)
}

// encodesName reports whether a Content-Disposition has a parameter `name*`.
func encodesName(line string) bool {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			rest := strings.TrimLeft(line[i+1:], " \t")
			if len(rest) > 4 && strings.EqualFold(rest[:4], "name") && rest[4] == '*' {
				return true
			}
		}
	}
	return false
}

// plainField reports whether a part's bytes are its value to everybody.
func plainField(part *multipart.Part) bool {
	for name, values := range part.Header {
		switch name {
		case "Content-Disposition", "Content-Length":
		case "Content-Type":
			_, params, err := mime.ParseMediaType(values[0])
			charset := strings.ToLower(params["charset"])
			if err != nil || len(values) > 1 || charset != "" && charset != "utf-8" && charset != "us-ascii" {
				return false
			}
		case "Content-Transfer-Encoding":
			if slices.ContainsFunc(values, func(v string) bool {
				v = strings.ToLower(v)
				return v != "7bit" && v != "8bit" && v != "binary"
			}) {
				return false
			}
		}
	}
	return true
}

// delimiters counts the lines that begin as a boundary does in what is written
// to it, whatever ends lines. A form has one before each part and one behind the
// last; what others there are, somebody might take for the beginning of a part.
type delimiters struct {
	dash  []byte // the boundary behind its dashes
	tail  []byte // the last of what was written, no longer than dash
	count int
}

func newDelimiters(boundary string) *delimiters {
	d := &delimiters{dash: []byte("--" + boundary)}
	d.tail = append(make([]byte, 0, 2*len(d.dash)), '\n') // the first may stand at the beginning
	return d
}

// Write implements io.Writer.
func (d *delimiters) Write(p []byte) (int, error) {
	most := len(d.dash)
	joint := append(d.tail, p[:min(len(p), most)]...) // for what spans two writes
	d.count += d.in(joint) + d.in(p)
	if len(p) > most {
		joint = p
	}
	d.tail = append(d.tail[:0], joint[max(0, len(joint)-most):]...)
	return len(p), nil
}

// in counts those that are whole in p, the end of the line before included.
func (d *delimiters) in(p []byte) (n int) {
	for {
		i := bytes.Index(p, d.dash)
		if i < 0 {
			return n
		}
		if i > 0 && (p[i-1] == '\n' || p[i-1] == '\r') {
			n++
		}
		p = p[i+1:]
	}
}
