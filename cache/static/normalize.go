package static

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// rules are BertNormalizer's.
type rules struct {
	clean, chinese, strip, lower bool
}

// words splits a text as BertNormalizer and BertPreTokenizer do, and appends the
// tokens of each word until there are enough.
func (s *scratch) words(w *wordPiece, text string, limit int) {
	s.cleaned = s.cleaned[:0]
	plain := true
	for _, c := range text {
		switch {
		case w.rules.clean && (c == 0 || c == utf8.RuneError || control(c)):
			continue
		case w.rules.clean && unicode.IsSpace(c):
			s.cleaned = append(s.cleaned, ' ')
			continue
		case c < utf8.RuneSelf:
			s.cleaned = append(s.cleaned, byte(c))
			continue
		}
		plain = false
		if w.rules.chinese && chinese(c) {
			s.cleaned = append(s.cleaned, ' ')
			s.cleaned = utf8.AppendRune(s.cleaned, c)
			s.cleaned = append(s.cleaned, ' ')
			continue
		}
		s.cleaned = utf8.AppendRune(s.cleaned, c)
	}
	from := s.cleaned
	if w.rules.strip && !plain {
		s.composed = norm.NFD.Append(s.composed[:0], from...)
		from = s.composed
	}
	s.word = s.word[:0]
	for i := 0; i < len(from) && (limit == 0 || len(s.ids) < limit); {
		c, n := utf8.DecodeRune(from[i:])
		i += n
		switch {
		case w.rules.strip && c >= utf8.RuneSelf && unicode.Is(unicode.Mn, c):
		case unicode.IsSpace(c):
			s.pieces(w)
		case punctuation(c):
			s.pieces(w)
			s.word = utf8.AppendRune(s.word, c)
			s.pieces(w)
		default:
			s.word = w.rules.append(s.word, c)
		}
	}
	s.pieces(w)
}

func (r rules) append(dst []byte, c rune) []byte {
	switch {
	case !r.lower:
		return utf8.AppendRune(dst, c)
	case c < utf8.RuneSelf:
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return append(dst, byte(c))
	case c == 'İ':
		return append(dst, "i̇"...) // the one letter that becomes two
	}
	return utf8.AppendRune(dst, unicode.ToLower(c))
}

// control is what clean_text takes away.
func control(c rune) bool {
	if c < utf8.RuneSelf {
		return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f
	}
	return unicode.In(c, unicode.Cc, unicode.Cf, unicode.Co)
}

func punctuation(c rune) bool {
	if c < utf8.RuneSelf {
		return c > ' ' && c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z' && c < 0x7f
	}
	return unicode.IsPunct(c)
}

// chinese are the blocks that BERT spaces out. The sixth begins at 2B920 and not
// at 2B820 in Hugging Face's tokenizers, which made the models.
func chinese(c rune) bool {
	switch {
	case c < 0x3400:
		return false
	case c <= 0x4dbf, c >= 0x4e00 && c <= 0x9fff, c >= 0xf900 && c <= 0xfaff,
		c >= 0x20000 && c <= 0x2a6df, c >= 0x2a700 && c <= 0x2b73f, c >= 0x2b740 && c <= 0x2b81f,
		c >= 0x2b920 && c <= 0x2ceaf, c >= 0x2f800 && c <= 0x2fa1f:
		return true
	}
	return false
}
