package simulator

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// vocabulary holds words that, with a space before them, are one token each in
// o200k_base and cl100k_base. Both encodings split text before every such
// space, so tokens of neighbours cannot merge and N pieces are N tokens.
var vocabulary = strings.Fields(`
water river stream flows across open land and over stones while people walk along banks near small
houses with gardens under old trees where birds rest before night falls every morning brings light
to fields that lie between hills far from city streets some boats carry grain wood or stone down
toward coast each year rain fills lakes then snow melts in spring when wind turns warm children play
by bridges as farmers plant corn beans apples market days are full of noise color bread cheese fruit
music stories about past journeys travel slow but steady through valleys until sea opens wide sky
clouds move quickly after storm calm returns soon long road leads home again late evening fires burn
low voices speak softly names remain known for many years wall holds back flood gates close at set
times level rises measured marks painted on post keeper writes numbers book careful hand`)

// starters begin a sentence; they are one token with and without a space.
var starters = strings.Fields(`The This Each Every Some Many When After Before While Near Over Under
From Most Then Here There Water People One Its`)

const (
	sentenceStart = 's'
	sentenceWord  = 'w'
	sentenceEnd   = 'e'
)

// rhythm says by its position what a piece of a text is, so that any piece
// can be made without those before it.
const rhythm = "swwwwwwwwe" + "swwwwwwe" + "swwwwwwwwwwe" + "swwwwe"

// pieces are the parts of a text in the order in which they are streamed; each
// is one token except where a text is given by the request.
type pieces interface {
	len() int
	at(i int) string
}

// loremText is n tokens of text; it is made as it is read.
type loremText struct {
	seed uint64
	n    int
	cut  bool // ends by its cap, not by a full stop
}

func (t loremText) len() int { return t.n }

func (t loremText) at(i int) string {
	role := rhythm[i%len(rhythm)]
	switch {
	case t.cut || t.n < 2:
	case i == t.n-1:
		role = sentenceEnd
	case i == t.n-2 && role == sentenceEnd:
		role = sentenceWord // two stops in a row would be one token
	}
	pick := mix(t.seed + uint64(i))
	switch {
	case role == sentenceEnd:
		return "."
	case i == 0:
		return starters[pick%uint64(len(starters))]
	case role == sentenceStart:
		return spaced[0][pick%uint64(len(starters))]
	}
	return spaced[1][pick%uint64(len(vocabulary))]
}

// spaced are the starters and the vocabulary with the space before them.
var spaced = func() (s [2][]string) {
	for i, list := range [][]string{starters, vocabulary} {
		for _, w := range list {
			s[i] = append(s[i], " "+w)
		}
	}
	return s
}()

// listText is a text that is already in parts.
type listText []string

func (t listText) len() int        { return len(t) }
func (t listText) at(i int) string { return t[i] }

func join(p pieces) string {
	var b strings.Builder
	for i := range p.len() {
		b.WriteString(p.at(i))
	}
	return b.String()
}

// maxPiece bounds a piece of a given text in bytes: about one token of English.
const maxPiece = 8

// split cuts a given text into small pieces: at spaces, and inside words that
// are longer than maxPiece, never inside a character.
func split(text string) listText {
	var list listText
	for text != "" {
		n, inWord := 0, false
		for n < len(text) {
			r, size := utf8.DecodeRuneInString(text[n:])
			if space := unicode.IsSpace(r); space && inWord || n+size > maxPiece && n > 0 {
				break
			} else if !space {
				inWord = true
			}
			n += size
		}
		list = append(list, text[:n])
		text = text[n:]
	}
	return list
}

// fit shortens list to at most limit tokens, counted over the whole text, and
// returns the tokens of what is left.
func fit(list listText, limit int, count func(string) int) (listText, int, bool) {
	whole := count(strings.Join(list, ""))
	if whole <= limit {
		return list, whole, false
	}
	low, high := 0, len(list) // the longest prefix that fits is in [low, high)
	for low+1 < high {
		mid := (low + high) / 2
		if count(strings.Join(list[:mid], "")) <= limit {
			low = mid
		} else {
			high = mid
		}
	}
	return list[:low], count(strings.Join(list[:low], "")), true
}

// stopAt cuts p before the first of the stop sequences and names it.
func stopAt(p pieces, stops []string) (pieces, string, bool) {
	if len(stops) == 0 {
		return p, "", false
	}
	text := join(p)
	first, hit := len(text), ""
	for _, s := range stops {
		if i := strings.Index(text, s); s != "" && i >= 0 && i < first {
			first, hit = i, s
		}
	}
	if hit == "" {
		return p, "", false
	}
	var list listText
	for i, left := 0, first; left > 0; i++ {
		piece := p.at(i)
		piece = piece[:min(len(piece), left)]
		list = append(list, piece)
		left -= len(piece)
	}
	return list, hit, true
}

// mix is the finalizer of SplitMix64: every bit of the result depends on every
// bit of x.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hash adds text to h as FNV-1a does, with a mark after it so that ("ab", "c")
// and ("a", "bc") differ.
func hash(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime
}
