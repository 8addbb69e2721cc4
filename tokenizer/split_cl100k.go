package tokenizer

// splitCl100k follows the pattern of cl100k_base:
//
//	'(?i:[sdmt]|ll|ve|re)
//	[^\r\n\p{L}\p{N}]?+\p{L}++
//	\p{N}{1,3}+
//	 ?[^\s\p{L}\p{N}]++[\r\n]*+
//	\s++$
//	\s*[\r\n]
//	\s+(?!\S)
//	\s
func splitCl100k(s string, i int) (end int, open bool) { return pieceCl100k(s, i, 3, spaceCl100k) }

// splitLlama3 is cl100k_base as it was first published: \s*[\r\n]+ comes before
// the rule for the end of the text.
func splitLlama3(s string, i int) (end int, open bool) { return pieceCl100k(s, i, 3, spaceO200k) }

// splitQwen is splitLlama3 with single digits.
func splitQwen(s string, i int) (end int, open bool) { return pieceCl100k(s, i, 1, spaceO200k) }

func pieceCl100k(s string, i, digits int, space splitFunc) (end int, open bool) {
	if s[i] == '\'' {
		n, more := contraction(s, i, true)
		if n > 0 {
			return i + n, false
		}
		open = more
	}
	first, size := classAt(s, i)
	if first == classNumber {
		return numbers(s, i, digits)
	}
	start := i
	if !first.letter() {
		start += size
	}
	if b := s[i]; b != '\r' && b != '\n' {
		if end = letters(s, start); end > start {
			return end, open || end == len(s)
		}
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if k := symbols(s, j); k > j {
		for k < len(s) && (s[k] == '\r' || s[k] == '\n') {
			k++
		}
		return k, open || k == len(s)
	}
	return space(s, i)
}

func spaceCl100k(s string, i int) (end int, open bool) {
	end, last, newline := spaces(s, i)
	switch {
	case end == len(s):
		return end, true
	case newline > 0:
		return newline, false
	case last == i:
		return end, false
	}
	return last, false
}
