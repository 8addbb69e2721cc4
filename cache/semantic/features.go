package semantic

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTokens is how many words of a text are told apart. A longer text has too
// many places for a small difference that its vector hardly shows; it never
// answers for another one.
const maxTokens = 256

// Features are what a text must share with another one before their vectors
// count: its words, hashed, and which of them are facts (numbers, names,
// negations, quotations, code, words that turn a meaning around). They take 8
// bytes a word. They must not be changed. The zero Features are those of a text
// without words.
type Features struct {
	// marks are sorted: a word's hash of 31 bits, one bit for a fact, the word's
	// place in 16 bits.
	marks []uint64
	long  bool
}

const (
	markFact  = 1 << 16
	markPlace = markFact - 1
	markHash  = 17
)

// Read returns the features of a text.
func Read(text string) Features {
	r := reader{text: text, first: true}
	r.run()
	if r.long {
		return Features{long: true}
	}
	slices.Sort(r.marks)
	return Features{marks: r.marks}
}

// reader goes through a text once.
type reader struct {
	text   string
	marks  []uint64
	word   []byte // of the word that is read, in lower case
	place  int
	first  bool // the next word begins a sentence: its capital says nothing
	number bool // the last token was a number: what follows is what it counts
	long   bool
}

func (r *reader) run() {
	for i := 0; i < len(r.text) && !r.long; {
		c, n := utf8.DecodeRuneInString(r.text[i:])
		switch {
		case c == '`' || c == '"' || c == '“' || c == '„' || c == '«' || (c == '\'' || c == '‘') && !r.inside(i):
			i = r.quotation(i, c, n)
		case c >= '0' && c <= '9' || c > 0x7f && unicode.IsNumber(c):
			i = r.digits(i)
		case unicode.IsLetter(c) || c == '_':
			i = r.letters(i)
		case c == ' ' || unicode.IsSpace(c):
			if c == '\n' {
				r.first = true
			}
			i += n
		default:
			i = r.symbols(i)
		}
	}
}

// inside reports whether a letter or digit stands right before i, so that an
// apostrophe there opens nothing.
func (r *reader) inside(i int) bool {
	c, _ := utf8.DecodeLastRuneInString(r.text[:i])
	return i > 0 && (unicode.IsLetter(c) || unicode.IsNumber(c))
}

// closers are the marks that end a quotation.
var closers = map[rune]string{'`': "`", '"': "\"", '“': "”", '„': "“”", '«': "»", '\'': "'", '‘': "’"}

// quotation reads what is quoted as one fact, spelled as it is. A mark that is
// not closed means nothing.
func (r *reader) quotation(i int, open rune, n int) int {
	start := i + n
	for at := start; at < len(r.text); {
		step := strings.IndexAny(r.text[at:], closers[open])
		if step < 0 {
			break
		}
		end := at + step
		_, size := utf8.DecodeRuneInString(r.text[end:])
		after, _ := utf8.DecodeRuneInString(r.text[end+size:])
		if (open == '\'' || open == '‘') && unicode.IsLetter(after) {
			at = end + size // an apostrophe
			continue
		}
		if end > start {
			r.add(hash(r.text[start:end], 'q'), true)
		}
		r.first, r.number = false, false
		return end + size
	}
	return start
}

// digits reads a number. Marks that group digits are left out.
func (r *reader) digits(i int) int {
	r.word = r.word[:0]
	if i > 0 && (i == 1 || r.text[i-2] <= ' ') {
		switch c := r.text[i-1]; c {
		case '-', '+':
			r.word = append(r.word, c)
		case '.':
			r.word = append(r.word, "0."...)
		}
	}
	for i < len(r.text) {
		c, n := utf8.DecodeRuneInString(r.text[i:])
		next := byte(0)
		if i+1 < len(r.text) {
			next = r.text[i+1]
		}
		more := next >= '0' && next <= '9'
		switch {
		case c >= '0' && c <= '9' || c > 0x7f && unicode.IsNumber(c):
			r.word = utf8.AppendRune(r.word, c)
		case c == ',' && more && grouped(r.text[i+1:]), c == '_' && more:
		case (c == '.' || c == ':' || c == ',') && more:
			r.word = append(r.word, byte(c))
		default:
			n = 0
		}
		if n == 0 {
			break
		}
		i += n
	}
	r.add(hash(string(r.word), 'n'), true)
	r.first, r.number = false, true
	return i
}

// grouped reports whether exactly three digits stand at the start of s.
func grouped(s string) bool {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n == 3
}

// letters reads a word: letters, then also digits and signs that join parts of
// an identifier.
func (r *reader) letters(i int) int {
	r.word = r.word[:0]
	start, capitals, odd, foreign := i, 0, false, false
	for i < len(r.text) {
		c, n := utf8.DecodeRuneInString(r.text[i:])
		switch {
		case unicode.IsLetter(c) || unicode.IsMark(c):
			if unicode.IsUpper(c) {
				capitals++
				odd = odd || i > start
			}
			if c > 0x7f && !unicode.Is(unicode.Latin, c) {
				foreign = true
			}
			r.word = utf8.AppendRune(r.word, unicode.ToLower(c))
		case c == '_' || c >= '0' && c <= '9':
			odd = true
			r.word = append(r.word, byte(c))
		case c == '.' && i+1 < len(r.text) && r.inside(i) && letter(r.text[i+1:]):
			odd = true // a.b
			r.word = append(r.word, '.')
		case c == '\'' || c == '’':
			if !r.inside(i) || !letter(r.text[i+n:]) {
				n = 0
				break
			}
			r.word = append(r.word, '\'')
		default:
			n = 0
		}
		if n == 0 {
			break
		}
		i += n
		if unsegmented(c) {
			break // scripts without spaces: a character is a word
		}
	}
	first := r.first
	r.first = false
	r.emit(odd || foreign || capitals > 0 && !first)
	return i
}

func digit(s string, i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }

func letter(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(c)
}

func unsegmented(c rune) bool {
	return c > 0xe00 && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// symbols reads a run of signs. Those that only punctuate mean nothing.
func (r *reader) symbols(i int) int {
	start, meant := i, false
	for i < len(r.text) {
		c, n := utf8.DecodeRuneInString(r.text[i:])
		if unicode.IsLetter(c) || unicode.IsNumber(c) || unicode.IsSpace(c) || strings.ContainsRune("`\"'“„«‘", c) {
			break
		}
		switch {
		case strings.ContainsRune(".?!", c):
			r.first = true
			// 5! is a factorial, !a a negation.
			meant = meant || c == '!' && (digit(r.text, i-1) || i+1 < len(r.text) && !r.inside(i) && letter(r.text[i+1:]))
		case strings.ContainsRune(",;:()[]…’”»·•¿¡–—", c):
		case c == '-' || c == '/' || c == '*' || c == '#':
			// One alone joins words, counts items or makes a heading, unless it stands
			// free or between two numbers, or ends a word, as in C#.
			alone := i == start && i+1 < len(r.text) && (letter(r.text[i+1:]) || digit(r.text, i+1) && !digit(r.text, i-1))
			item := i+1 < len(r.text) && r.text[i+1] == ' ' && (i == 0 || r.text[i-1] == '\n')
			meant = meant || !alone && !item
		default:
			meant = true
		}
		i += n
	}
	if meant {
		r.add(hash(r.text[start:i], 's'), true)
		r.first = false
	}
	return max(i, start+1)
}

// add keeps a token.
func (r *reader) add(h uint32, fact bool) {
	if r.place == maxTokens {
		r.long = true
		return
	}
	mark := uint64(h>>1)<<markHash | uint64(r.place)
	if fact {
		mark |= markFact
	}
	r.marks = append(r.marks, mark)
	r.place++
}

// hash is FNV-1a, begun with what kind of token it is.
func hash(s string, kind byte) uint32 {
	h := (uint32(2166136261) ^ uint32(kind)) * 16777619
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h ^ h>>15
}

// errFeatures is what UnmarshalFeatures returns.
var errFeatures = errors.New("reading features: malformed")

// AppendBinary appends the features as a store keeps them: a byte that says
// whether the text was too long, then 8 bytes a word, little-endian.
func (f Features) AppendBinary(dst []byte) []byte {
	if f.long {
		return append(dst, 1)
	}
	dst = append(dst, 0)
	for _, mark := range f.marks {
		dst = binary.LittleEndian.AppendUint64(dst, mark)
	}
	return dst
}

// UnmarshalFeatures reads what AppendBinary wrote.
func UnmarshalFeatures(raw []byte) (Features, error) {
	if len(raw) == 1 && raw[0] == 1 {
		return Features{long: true}, nil
	}
	if len(raw) == 0 || raw[0] != 0 || len(raw)%8 != 1 || len(raw)/8 > maxTokens {
		return Features{}, errFeatures
	}
	f := Features{marks: make([]uint64, 0, len(raw)/8)}
	for raw = raw[1:]; len(raw) > 0; raw = raw[8:] {
		mark := binary.LittleEndian.Uint64(raw)
		// The guard uses places as indices and relies on the order.
		if mark&markPlace >= maxTokens || len(f.marks) > 0 && mark < f.marks[len(f.marks)-1] {
			return Features{}, errFeatures
		}
		f.marks = append(f.marks, mark)
	}
	return f, nil
}
