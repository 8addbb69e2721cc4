// Package seam joins the two halves of a text whose second half was written by
// somebody who had read the first, and may have said a piece of it again.
package seam

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Window is how much of the first half's end is searched for what the second
// begins with, in bytes. A second half that begins as all of the first does is
// followed beyond that.
const Window = 4 << 10

const (
	// sure is the length in bytes from which equal text is a repetition wherever
	// it begins. Shorter text must begin with a word: `bal` is followed by `loon`
	// more often than `l` is said twice.
	sure = 12

	// number is the length from which digits alone count: 10 may go on with 00.
	number = 4

	// anew is how much of the first half's beginning shows that the second is
	// not its continuation but another version of the whole.
	anew = 32
)

// ErrAnew says that the second half begins the text anew, in other words than
// the first one has: the two cannot be joined.
var ErrAnew = errors.New("the text begins anew instead of going on")

// Seam takes the second half piece by piece and leaves out what the first ends
// with already. It holds back only what may still turn out to be that. The zero
// value joins nothing; it is not safe for concurrent use.
type Seam struct {
	all   string // the first half, without the space after it
	body  string // its end
	space string // that space

	held    []byte
	at      int   // of the second half's first character that is no space
	checked int   // bytes behind at that were compared
	places  []int // in body where the second half's beginning still fits
	overlap int   // the longest text that both share
	anew    int   // how far all has been said again
	again   bool  // and that goes on
	matched bool  // the overlap is known, the space behind it is not
	done    bool
	removed []byte
}

// New returns the seam behind first.
func New(first string) *Seam {
	all := strings.TrimRightFunc(first, unicode.IsSpace)
	s := &Seam{all: all, space: first[len(all):], again: all != ""}
	start := max(len(all)-Window, 0)
	for start < len(all) && !utf8.RuneStart(all[start]) {
		start++
	}
	s.body = all[start:]
	for i := range s.body {
		s.places = append(s.places, i)
	}
	return s
}

// Add appends to dst what can be shown of text, the next piece of the second
// half.
func (s *Seam) Add(dst, text []byte) ([]byte, error) {
	if s.done {
		return append(dst, text...), nil
	}
	s.held = append(s.held, text...)
	return s.decide(dst, false)
}

// End appends what is still held back: no more text comes.
func (s *Seam) End(dst []byte) []byte {
	if s.done {
		return dst
	}
	dst, _ = s.decide(dst, true) // what could fail has done so already
	return dst
}

// Removed is the text that was left out so far.
func (s *Seam) Removed() []byte { return s.removed }

func (s *Seam) decide(dst []byte, end bool) ([]byte, error) {
	if !s.matched {
		if s.skipSpace(); s.at == len(s.held) && !end {
			return dst, nil
		}
		s.compare(end)
		if (s.again || len(s.places) > 0) && !end {
			return dst, nil
		}
		if !end && s.overlap == 0 && s.anew >= anew && s.anew < len(s.all) {
			return dst, ErrAnew
		}
		s.matched, s.places = true, nil
		if s.overlap > 0 {
			s.remove(s.at + s.overlap)
		}
	}
	rest := len(s.held) - len(bytes.TrimLeftFunc(s.held, unicode.IsSpace))
	if rest == len(s.held) && !end && s.space != "" {
		return dst, nil
	}
	if s.space != "" {
		s.remove(commonSpace(s.space, s.held[:rest]))
	}
	s.done = true
	dst = append(dst, s.held...)
	s.held = nil
	return dst, nil
}

// skipSpace finds where the second half's first word begins.
func (s *Seam) skipSpace() {
	if s.checked == 0 {
		s.at = len(s.held) - len(bytes.TrimLeftFunc(s.held, unicode.IsSpace))
	}
}

// compare follows the places where the first half may say what the second
// begins with, byte by byte, and notes the longest that reaches to its end.
func (s *Seam) compare(end bool) {
	text := s.held[s.at:]
	for ; s.checked < len(text) && (s.again || len(s.places) > 0); s.checked++ {
		if s.again {
			s.follow(text)
		}
		kept := s.places[:0]
		for _, p := range s.places {
			i := p + s.checked
			switch {
			case i == len(s.body): // the first half has a space here
				s.reached(p, startsSpace(text[s.checked:]))
			case s.body[i] != text[s.checked]:
			case i+1 == len(s.body) && s.space == "":
				s.reached(p, true)
			default:
				kept = append(kept, p)
			}
		}
		s.places = kept
	}
	if end {
		for _, p := range s.places {
			s.reached(p, p+s.checked == len(s.body))
		}
		if s.again && s.overlap == 0 && s.anew >= anew && s.anew < len(s.all) {
			s.overlap = s.anew // it ends before it has said anything new
		}
		s.followed(s.again && s.anew == len(s.all))
		s.places = nil
	}
}

// follow goes on with the first half said again from its beginning, which may
// be further away than places are looked for.
func (s *Seam) follow(text []byte) {
	switch {
	case s.checked == len(s.all): // a space follows here
		s.followed(startsSpace(text[s.checked:]))
	case s.all[s.checked] != text[s.checked]:
		s.again = false
	default:
		if s.anew++; s.anew == len(s.all) && s.space == "" {
			s.followed(true)
		}
	}
}

// followed ends that. A text that fits into the window is one of the places.
func (s *Seam) followed(ok bool) {
	if s.again = false; ok && len(s.all) > len(s.body) {
		s.overlap = len(s.all)
	}
}

func startsSpace(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return unicode.IsSpace(r)
}

// reached notes that the second half begins with the first from p on, unless
// that is a coincidence.
func (s *Seam) reached(p int, ok bool) {
	if n := len(s.body) - p; ok && n > s.overlap && s.means(p) {
		s.overlap = n
	}
}

// means reports whether the end of the first half from p on, said again, is a
// repetition.
func (s *Seam) means(p int) bool {
	text := s.body[p:]
	letters, digits := false, false
	for _, r := range text {
		if letters = unicode.IsLetter(r); letters {
			break
		}
		digits = digits || unicode.IsDigit(r)
	}
	switch {
	case !letters && !digits: // brackets, rules of a table
		return false
	case !letters && len(text) < number:
		return false
	case len(text) >= sure:
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s.body[:p])
	first, _ := utf8.DecodeRuneInString(text)
	return p == 0 && len(s.body) == len(s.all) || !word(before) || !word(first)
}

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// remove leaves out the first n bytes held.
func (s *Seam) remove(n int) {
	s.removed = append(s.removed, s.held[:n]...)
	s.held = s.held[n:]
}

// commonSpace is how much of next, the space that the second half begins with,
// the first has ended with already.
func commonSpace(last string, next []byte) int {
	for n := min(len(last), len(next)); n > 0; n-- {
		if strings.HasSuffix(last, string(next[:n])) {
			return n
		}
	}
	if !bytes.ContainsAny(next, "\r\n") {
		return len(next) // one space between two words is enough
	}
	return 0
}
