package tokenizer

import (
	"fmt"
	"sync"

	"golang.org/x/text/unicode/norm"
)

// foreign is a tokenizer that came from a file.
type foreign struct {
	nfc    bool
	space  bool // SentencePiece: spaces are U+2581
	prefix bool // SentencePiece: a space is put before the text
	trim   bool // SentencePiece: runs of spaces are one, none at the ends
	// split is the pre-tokenizer; nil: the text is one piece.
	split splitFunc
	// segment appends the ids of one piece to sc.ids.
	segment func(sc *mergeScratch, piece string)
	tokens  []string // by id
	scratch sync.Pool
}

func (f *foreign) get() *mergeScratch {
	if sc, ok := f.scratch.Get().(*mergeScratch); ok {
		return sc
	}
	return new(mergeScratch)
}

func (f *foreign) put(sc *mergeScratch) {
	if cap(sc.symbols) < scratchMax/16 {
		f.scratch.Put(sc)
	}
}

// run fills sc.ids with the tokens of s, which is UTF-8. continued says that
// s goes on from text that was counted before.
func (f *foreign) run(sc *mergeScratch, s string, continued bool) {
	sc.ids = sc.ids[:0]
	if f.nfc && !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	if f.space {
		sc.text = f.escape(sc.text[:0], s, continued)
		s = bytesAsString(sc.text)
	}
	if f.split == nil {
		f.segment(sc, s)
		return
	}
	for i := 0; i < len(s); {
		end, _ := f.split(s, i)
		f.segment(sc, s[i:end])
		i = end
	}
}

// lowerLine is the character that SentencePiece writes for a space.
const lowerLine = "\u2581"

func (f *foreign) escape(dst []byte, s string, continued bool) []byte {
	if f.trim {
		for len(s) > 0 && s[0] == ' ' && !continued {
			s = s[1:]
		}
		for len(s) > 0 && s[len(s)-1] == ' ' {
			s = s[:len(s)-1]
		}
	}
	if f.prefix && !continued && s != "" {
		dst = append(dst, lowerLine...)
	}
	for i := range len(s) {
		switch {
		case s[i] != ' ':
			dst = append(dst, s[i])
		case f.trim && i > 0 && s[i-1] == ' ':
		default:
			dst = append(dst, lowerLine...)
		}
	}
	return dst
}

func (f *foreign) count(s string, continued bool) int {
	sc := f.get()
	f.run(sc, s, continued)
	n := len(sc.ids)
	f.put(sc)
	return n
}

func (f *foreign) encode(dst []int, s string) []int {
	sc := f.get()
	f.run(sc, s, false)
	for _, id := range sc.ids {
		dst = append(dst, int(id))
	}
	f.put(sc)
	return dst
}

func (f *foreign) decode(dst []byte, ids []int) ([]byte, error) {
	for _, id := range ids {
		if id < 0 || id >= len(f.tokens) {
			return dst, fmt.Errorf("decoding token ids: no token has the id %d", id)
		}
		dst = append(dst, f.tokens[id]...)
	}
	return dst, nil
}

// settled counts text up to the last space that follows an ASCII letter: no
// tokenizer that we read joins across it.
func (f *foreign) settled(text string, continued bool) (done, tokens int) {
	for i := len(text) - 1; i > 0; i-- {
		if text[i] == ' ' && asciiLetters(uint64(text[i-1])) != 0 {
			if f.trim && i+1 == len(text) {
				continue // a space at the end is dropped
			}
			return i, f.count(text[:i], continued)
		}
	}
	return 0, 0
}
