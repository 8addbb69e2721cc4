package openai

// jsonDepth tells when the pieces of a JSON text make a whole object, without
// looking at a byte twice.
type jsonDepth struct {
	depth    int
	inString bool
	escaped  bool
	begun    bool
}

// add goes on with piece.
func (j *jsonDepth) add(piece []byte) {
	for _, c := range piece {
		switch {
		case j.escaped:
			j.escaped = false
		case j.inString:
			switch c {
			case '\\':
				j.escaped = true
			case '"':
				j.inString = false
			}
		case c == '"':
			j.inString = true
		case c == '{' || c == '[':
			j.depth++
			j.begun = true
		case c == '}' || c == ']':
			j.depth--
		}
	}
}

// complete reports whether an object has begun and ended.
func (j *jsonDepth) complete() bool { return j.begun && j.depth <= 0 && !j.inString }
