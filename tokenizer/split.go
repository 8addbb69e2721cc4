package tokenizer

// splitFunc finds the end of the piece that starts at s[i]. open reports that
// the decision looked at the end of s, so that more text could move the end.
// s is valid UTF-8 and i < len(s). Each split rule looks past the piece only
// at what the next pieces consume, which keeps a whole scan linear.
type splitFunc func(s string, i int) (end int, open bool)

// letters returns the end of the run of \p{L} at i.
func letters(s string, i int) int {
	for i < len(s) {
		c, n := classAt(s, i)
		if !c.letter() {
			break
		}
		i += n
	}
	return i
}

// numbers returns the end of a run of at most limit \p{N} at i, whose first
// character is known to be one.
func numbers(s string, i, limit int) (end int, open bool) {
	for ; limit > 0; limit-- {
		if i == len(s) {
			return i, true
		}
		c, n := classAt(s, i)
		if c != classNumber {
			return i, false
		}
		i += n
	}
	return i, false
}

// symbols returns the end of the run of [^\s\p{L}\p{N}] at i.
func symbols(s string, i int) int {
	for i < len(s) {
		c, n := classAt(s, i)
		if c != classOther && c != classMark {
			break
		}
		i += n
	}
	return i
}

// spaces returns the end of the run of \s at i, the start of its last
// character, and the end of its last CR or LF (0: none).
func spaces(s string, i int) (end, last, newline int) {
	for i < len(s) {
		c, n := classAt(s, i)
		if c != classSpace {
			break
		}
		last = i
		i += n
		if b := s[last]; b == '\n' || b == '\r' {
			newline = i
		}
	}
	return i, last, newline
}

// contraction returns the length of an English contraction ('s 't 'm 'd 're
// 've 'll) whose apostrophe is at s[i], 0 if there is none. With fold any case
// matches, and U+017F (long s) too: it folds to s in Unicode's simple folding,
// which Rust's regex applies and Go's ports of it do not.
func contraction(s string, i int, fold bool) (n int, open bool) {
	if i+1 >= len(s) {
		return 0, true
	}
	lower := func(b byte) byte {
		if fold && b-'A' < 26 {
			return b | 0x20
		}
		return b
	}
	var second byte
	switch c := lower(s[i+1]); c {
	case 's', 't', 'm', 'd':
		return 2, false
	case 'r', 'v':
		second = 'e'
	case 'l':
		second = 'l'
	case 0xC5:
		if fold && s[i+2] == 0xBF {
			return 3, false
		}
		return 0, false
	default:
		return 0, false
	}
	if i+2 >= len(s) {
		return 0, true
	}
	if lower(s[i+2]) == second {
		return 3, false
	}
	return 0, false
}
