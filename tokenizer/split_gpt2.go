package tokenizer

// splitGPT2 follows the pattern of r50k_base, p50k_base and p50k_edit:
//
//	'(?:[sdmt]|ll|ve|re)
//	 ?\p{L}++
//	 ?\p{N}++
//	 ?[^\s\p{L}\p{N}]++
//	\s++$
//	\s+(?!\S)
//	\s
func splitGPT2(s string, i int) (end int, open bool) {
	if s[i] == '\'' {
		n, more := contraction(s, i, false)
		if n > 0 {
			return i + n, false
		}
		open = more
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if j == len(s) {
		return j, true
	}
	switch c, _ := classAt(s, j); {
	case c.letter():
		end = letters(s, j)
	case c == classNumber:
		end, _ = numbers(s, j, len(s))
	case c != classSpace:
		end = symbols(s, j)
	default:
		end, last, _ := spaces(s, i)
		if end == len(s) {
			return end, true
		}
		if last > i {
			return last, false
		}
		return end, false
	}
	return end, open || end == len(s)
}
