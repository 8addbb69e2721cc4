package static

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// file is what we read of a tokenizer.json. What would change the tokens and is
// not supported makes it refused.
type file struct {
	AddedTokens []struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LeftStrip  bool   `json:"lstrip"`
		RightStrip bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer *struct {
		Type         string `json:"type"`
		CleanText    bool   `json:"clean_text"`
		Chinese      bool   `json:"handle_chinese_chars"`
		StripAccents *bool  `json:"strip_accents"`
		Lowercase    bool   `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type     string           `json:"type"`
		Unknown  string           `json:"unk_token"`
		Prefix   string           `json:"continuing_subword_prefix"`
		MaxChars *int             `json:"max_input_chars_per_word"`
		Vocab    map[string]int32 `json:"vocab"`
	} `json:"model"`
}

// wordPiece splits a text into the longest pieces that its vocabulary has.
type wordPiece struct {
	starts, rests map[string]int32 // pieces that begin a word, and that go on with one
	longest       int              // bytes of the longest piece
	maxChars      int
	unknown       int32
	added         []added
	rules         rules
	pool          sync.Pool
}

// added is a token that is found in the text as it is.
type added struct {
	content string
	id      int32
}

// readWordPiece also returns the highest token, and the median of their lengths
// in characters.
func readWordPiece(raw []byte) (w *wordPiece, most, median int, err error) {
	// Unigram's vocabulary has another shape: its kind is read first.
	var kind struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, 0, 0, err
	}
	if kind.Model.Type != "WordPiece" {
		return nil, 0, 0, fmt.Errorf("a tokenizer of type %.20q is not supported, only WordPiece", kind.Model.Type)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, 0, 0, err
	}
	switch {
	case f.Normalizer == nil || f.Normalizer.Type != "BertNormalizer":
		return nil, 0, 0, errors.New("a normalizer other than BertNormalizer is not supported")
	case f.PreTokenizer == nil || f.PreTokenizer.Type != "BertPreTokenizer":
		return nil, 0, 0, errors.New("a pre-tokenizer other than BertPreTokenizer is not supported")
	case f.Model.Prefix == "":
		return nil, 0, 0, errors.New("the prefix of continued words is empty")
	case len(f.Model.Vocab) == 0 || len(f.Model.Vocab) > maxTokens:
		return nil, 0, 0, fmt.Errorf("a vocabulary of %d tokens", len(f.Model.Vocab))
	}
	w = &wordPiece{starts: map[string]int32{}, rests: map[string]int32{}, maxChars: 100}
	w.pool.New = func() any { return &scratch{} }
	if f.Model.MaxChars != nil {
		w.maxChars = *f.Model.MaxChars
	}
	n := f.Normalizer
	w.rules = rules{clean: n.CleanText, chinese: n.Chinese, lower: n.Lowercase, strip: n.Lowercase}
	if n.StripAccents != nil {
		w.rules.strip = *n.StripAccents
	}
	all := f.Model.Vocab
	var ok bool
	if w.unknown, ok = all[f.Model.Unknown]; !ok {
		return nil, 0, 0, fmt.Errorf("the vocabulary lacks the unknown token %.20q", f.Model.Unknown)
	}
	for piece, id := range all {
		if rest, ok := strings.CutPrefix(piece, f.Model.Prefix); ok && rest != "" {
			w.rests[rest] = id
		}
		// A piece with the prefix also begins a word that is spelled so.
		w.starts[piece] = id
		w.longest = max(w.longest, len(piece))
	}
	for _, a := range f.AddedTokens {
		if a.SingleWord || a.LeftStrip || a.RightStrip || a.Normalized || a.Content == "" {
			return nil, 0, 0, fmt.Errorf("the added token %.20q has flags that are not supported", a.Content)
		}
		w.added = append(w.added, added{a.Content, a.ID})
		all[a.Content] = a.ID
	}
	lengths := make([]int, 0, len(all))
	for piece, id := range all {
		if id < 0 || id >= maxTokens {
			return nil, 0, 0, fmt.Errorf("the token %.20q has the number %d", piece, id)
		}
		most = max(most, int(id))
		lengths = append(lengths, utf8.RuneCountInString(piece))
	}
	slices.Sort(lengths)
	half := len(lengths) / 2
	if median = lengths[half]; len(lengths)%2 == 0 {
		median = (lengths[half-1] + lengths[half]) / 2
	}
	return w, most, median, nil
}

// scratch is what a run needs; ids is its result.
type scratch struct {
	ids               []int32
	cleaned, composed []byte
	word              []byte
}

func (w *wordPiece) get() *scratch { return w.pool.Get().(*scratch) }

// maxScratch is what is kept of a run's memory for the next.
const maxScratch = 1 << 16

func (w *wordPiece) put(s *scratch) {
	if cap(s.cleaned)+cap(s.composed)+cap(s.word)+4*cap(s.ids) <= 4*maxScratch {
		w.pool.Put(s)
	}
}

// run sets ids to the text's tokens, at most limit of them; 0 means all.
func (s *scratch) run(w *wordPiece, text string, limit int) {
	s.ids = s.ids[:0]
	for text != "" && (limit == 0 || len(s.ids) < limit) {
		at, which := len(text), -1
		for i := range w.added {
			n := strings.Index(text[:at], w.added[i].content)
			// Of those that begin at one place, the longest is taken.
			if n < 0 && which >= 0 && strings.HasPrefix(text[at:], w.added[i].content) && len(w.added[i].content) > len(w.added[which].content) {
				n = at
			}
			if n >= 0 {
				at, which = n, i
			}
		}
		s.words(w, text[:at], limit)
		if which < 0 {
			break
		}
		s.ids = append(s.ids, w.added[which].id)
		text = text[at+len(w.added[which].content):]
	}
	if limit > 0 && len(s.ids) > limit {
		s.ids = s.ids[:limit]
	}
}

// pieces appends the tokens of one word, or the unknown one.
func (s *scratch) pieces(w *wordPiece) {
	word := s.word
	s.word = s.word[:0]
	if len(word) == 0 {
		return
	}
	if len(word) > w.maxChars && utf8.RuneCount(word) > w.maxChars {
		s.ids = append(s.ids, w.unknown)
		return
	}
	before, vocab := len(s.ids), w.starts
	for len(word) > 0 {
		n := min(len(word), w.longest)
		id, ok := vocab[string(word[:n])]
		for ; !ok && n > 1; id, ok = vocab[string(word[:n])] {
			n--
		}
		if !ok {
			s.ids = append(s.ids[:before], w.unknown)
			return
		}
		s.ids = append(s.ids, id)
		word, vocab = word[n:], w.rests
	}
}
