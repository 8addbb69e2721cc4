package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// hfFile is what we read of a tokenizer.json. Parts that change the tokens are
// kept raw until they are recognised.
type hfFile struct {
	Normalizer   *hfPart `json:"normalizer"`
	PreTokenizer *hfPart `json:"pre_tokenizer"`
	Model        struct {
		Type         string            `json:"type"`
		Vocab        map[string]uint32 `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		Dropout      *float64          `json:"dropout"`
		ByteFallback bool              `json:"byte_fallback"`
		IgnoreMerges bool              `json:"ignore_merges"`
		Prefix       string            `json:"continuing_subword_prefix"`
		Suffix       string            `json:"end_of_word_suffix"`
	} `json:"model"`
}

type hfPart struct {
	Type          string   `json:"type"`
	Pretokenizers []hfPart `json:"pretokenizers"`
	Normalizers   []hfPart `json:"normalizers"`
	Behavior      string   `json:"behavior"`
	Invert        bool     `json:"invert"`
	AddPrefix     bool     `json:"add_prefix_space"`
	UseRegex      *bool    `json:"use_regex"`
	Pattern       struct {
		Regex string
	} `json:"pattern"`
}

// hfPatterns are the split patterns that we know, spelled as in published files.
var hfPatterns = map[string]splitFunc{
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                                                                                                                                                                splitLlama3,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                                                                                                                                                                     splitQwen,
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                                                                splitTekken,
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`: splitO200k,
}

func readHuggingFace(raw []byte) (*foreign, error) {
	var file hfFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	m := &file.Model
	switch {
	case m.Type != "BPE" && m.Type != "":
		return nil, fmt.Errorf("model type %s is not byte-level BPE", m.Type)
	case m.ByteFallback:
		return nil, errors.New("the model falls back to bytes and is not byte-level; load its SentencePiece .model instead")
	case m.Dropout != nil && *m.Dropout != 0, m.Prefix != "", m.Suffix != "":
		return nil, errors.New("dropout and sub-word marks are not supported")
	}
	f := &foreign{}
	if err := f.setNormalizer(file.Normalizer); err != nil {
		return nil, err
	}
	var err error
	if f.split, err = hfSplit(file.PreTokenizer); err != nil {
		return nil, err
	}
	ids := make(map[string]uint32, len(m.Vocab))
	for spelled, id := range m.Vocab {
		token, ok := fromByteAlphabet(spelled)
		if !ok || id >= idMask {
			continue // a special token, which no merge makes
		}
		for len(f.tokens) <= int(id) {
			f.tokens = append(f.tokens, "")
		}
		f.tokens[id], ids[token] = token, id
	}
	if len(m.Merges) >= idMask {
		return nil, fmt.Errorf("%d merges are too many", len(m.Merges))
	}
	pairs := make([]mergePair, len(m.Merges))
	results := make([]uint32, len(m.Merges))
	for rank, merge := range m.Merges {
		left, right, err := hfMerge(merge)
		if err != nil {
			return nil, fmt.Errorf("merge %d: %w", rank, err)
		}
		l, ok1 := ids[left]
		r, ok2 := ids[right]
		result, ok3 := ids[left+right]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d: %q and %q do not make a token", rank, left, right)
		}
		pairs[rank], results[rank] = mergePair{l, r, uint32(rank)}, result
	}
	g := newMerger(pairs, results, len(f.tokens))
	f.segment, err = byteLevel(&g, ids, m.IgnoreMerges)
	return f, err
}

// hfMerge reads a merge in both spellings: "a b" and ["a", "b"].
func hfMerge(raw json.RawMessage) (left, right string, err error) {
	var pair []string
	if len(raw) > 0 && raw[0] == '[' {
		err = json.Unmarshal(raw, &pair)
	} else {
		var joined string
		err = json.Unmarshal(raw, &joined)
		pair = strings.Split(joined, " ")
	}
	if err != nil || len(pair) != 2 {
		return "", "", fmt.Errorf("%s is not two tokens", raw)
	}
	l, ok := fromByteAlphabet(pair[0])
	r, ok2 := fromByteAlphabet(pair[1])
	if !ok || !ok2 {
		return "", "", fmt.Errorf("%s is not byte-level", raw)
	}
	return l, r, nil
}

func (f *foreign) setNormalizer(n *hfPart) error {
	switch {
	case n == nil:
	case n.Type == "NFC":
		f.nfc = true
	case n.Type == "Sequence":
		for i := range n.Normalizers {
			if err := f.setNormalizer(&n.Normalizers[i]); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("normalizer %s is not supported", n.Type)
	}
	return nil
}

// hfSplit recognises a pre-tokenizer: ByteLevel with its own pattern, or one
// Split followed by ByteLevel without.
func hfSplit(p *hfPart) (splitFunc, error) {
	if p == nil {
		return nil, errors.New("there is no pre-tokenizer")
	}
	parts := []hfPart{*p}
	if p.Type == "Sequence" {
		parts = p.Pretokenizers
	}
	var split splitFunc
	for _, part := range parts {
		switch part.Type {
		case "Split":
			known := hfPatterns[part.Pattern.Regex]
			if known == nil || part.Invert || part.Behavior != "Isolated" && part.Behavior != "Removed" || split != nil {
				return nil, fmt.Errorf("split pattern %q is not known", part.Pattern.Regex)
			}
			split = known
		case "ByteLevel":
			if part.AddPrefix {
				return nil, errors.New("add_prefix_space is not supported")
			}
			if part.UseRegex == nil || *part.UseRegex {
				if split != nil {
					return nil, errors.New("two split patterns are not supported")
				}
				split = splitGPT2
			}
		default:
			return nil, fmt.Errorf("pre-tokenizer %s is not supported", part.Type)
		}
	}
	if split == nil {
		return nil, errors.New("there is no split pattern")
	}
	return split, nil
}

// byteAlphabet is GPT-2's way to write bytes as printable characters: those
// that are printable in Latin-1 stand for themselves, the others are moved to
// U+0100 and up in order.
var byteAlphabet = func() map[rune]byte {
	alphabet := make(map[rune]byte, 256)
	moved := rune(0x100)
	for c := range 256 {
		if c >= '!' && c <= '~' || c >= 0xA1 && c <= 0xAC || c >= 0xAE {
			alphabet[rune(c)] = byte(c)
			continue
		}
		alphabet[moved] = byte(c)
		moved++
	}
	return alphabet
}()

func fromByteAlphabet(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		c, ok := byteAlphabet[r]
		if !ok {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), len(b) > 0
}
