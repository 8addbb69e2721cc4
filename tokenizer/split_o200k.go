package tokenizer

// splitO200k follows the pattern of o200k_base and o200k_harmony:
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n/]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
func splitO200k(s string, i int) (end int, open bool) { return pieceO200k(s, i, 3, true) }

// splitTekken is Mistral's variant: single digits, no contractions.
func splitTekken(s string, i int) (end int, open bool) { return pieceO200k(s, i, 1, false) }

func pieceO200k(s string, i, digits int, contractions bool) (end int, open bool) {
	first, size := classAt(s, i)
	if first == classNumber {
		return numbers(s, i, digits)
	}
	start := i
	if !first.letter() {
		start += size
	}
	if b := s[i]; b != '\r' && b != '\n' {
		end, open = wordO200k(s, start, first, contractions)
		if end > i {
			return end, open
		}
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if k := symbols(s, j); k > j {
		for k < len(s) && (s[k] == '\r' || s[k] == '\n' || s[k] == '/') {
			k++
		}
		return k, k == len(s)
	}
	return spaceO200k(s, i)
}

// spaceO200k splits white space after the last line break of a run, even when
// the text ends there.
func spaceO200k(s string, i int) (end int, open bool) {
	end, last, newline := spaces(s, i)
	open = end == len(s)
	switch {
	case newline > 0:
		return newline, open
	case open || last == i:
		return end, open
	}
	return last, false
}

// wordO200k matches the first two alternatives: the letters of the
// piece start at start. It returns end 0 when neither matches.
func wordO200k(s string, start int, first class, contractions bool) (end int, open bool) {
	q, both := start, 0 // both: end of the last \p{Lm}\p{Lo}\p{M} of the capital run
	lower := false
	for q < len(s) {
		c, n := classAt(s, q)
		if c == classUpper {
			q += n
			continue
		}
		if c == classBoth || c == classMark {
			q += n
			both = q
			continue
		}
		lower = c == classLower
		break
	}
	switch {
	case lower:
		end = q
		for end < len(s) {
			c, n := classAt(s, end)
			if c != classLower && c != classBoth && c != classMark {
				break
			}
			end += n
		}
		open = end == len(s)
	case both > 0:
		// The greedy capital run gives characters back until one that also
		// counts as small is last.
		end, open = both, q == len(s)
	case first == classMark:
		// A mark may be the prefix or the word; as prefix it left nothing
		// for the small letters, so it becomes the word by itself.
		end, open = start, q == len(s)
	case q > start:
		end, open = q, q == len(s)
	default:
		return 0, false
	}
	if end == len(s) {
		return end, true
	}
	if contractions && s[end] == '\'' {
		n, more := contraction(s, end, true)
		return end + n, open || more
	}
	return end, open
}
