package wire

// AppendCompact appends valid JSON without white space between its tokens:
// Google's answers are indented, and a line end would break an event apart.
func AppendCompact(dst, raw []byte) []byte {
	from := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case ' ', '\t', '\r', '\n':
			dst = append(dst, raw[from:i]...)
			from = i + 1
		}
	}
	return append(dst, raw[from:]...)
}
