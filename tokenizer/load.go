package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// LoadFile returns the encoding in a file of the operator. format is one of
//
//   - tiktoken: lines of base64 and rank, as Llama 3 and Kimi publish them, split
//     as Llama 3 splits
//   - huggingface: tokenizer.json with a byte-level BPE model
//   - sentencepiece: a .model of type BPE or unigram with the identity normaliser
//
// The file is read now, so that a mistake shows when the configuration is
// loaded. What the file asks for and this package does not know is an error,
// never a guess. Special tokens in a text are ordinary text.
func LoadFile(format, path string) (*Encoding, error) {
	read := map[string]func([]byte) (*foreign, error){
		"tiktoken":      readTiktoken,
		"huggingface":   readHuggingFace,
		"sentencepiece": readSentencePiece,
	}[format]
	if read == nil {
		return nil, fmt.Errorf("loading tokenizer: format %q is none of tiktoken, huggingface, sentencepiece", format)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer: %w", err)
	}
	f, err := read(raw)
	if err != nil {
		return nil, fmt.Errorf("reading %s tokenizer %s: %w", format, path, err)
	}
	e := &Encoding{name: format + ":" + path, build: func() (*model, error) { return &model{foreign: f}, nil }}
	return e, e.Load()
}

// FileFamily is the family of models that count with an encoding from a file:
// plain text is exact, the chat frame is that of the family that the model's
// name would have.
func FileFamily(model string, e *Encoding) *Family {
	f := *ForModel(model)
	f.Name, f.Encoding, f.Estimated, f.Ratio = e.name, e, false, 1000
	f.id = fileFamilies.Add(1) << 8
	return &f
}

// fileFamilies numbers the families of files, so that no two share entries of
// the memo, also across reloads.
var fileFamilies atomic.Uint32

func readTiktoken(raw []byte) (*foreign, error) {
	f := &foreign{split: splitLlama3}
	ids := map[string]uint32{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		word, number, ok := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if !ok && word == "" {
			continue
		}
		token, err := base64.StdEncoding.DecodeString(word)
		rank, err2 := strconv.ParseUint(number, 10, idBits)
		if err != nil || err2 != nil || rank >= idMask || len(token) == 0 || len(token) > 255 {
			return nil, fmt.Errorf("line %d is not base64 and rank", n)
		}
		for len(f.tokens) <= int(rank) {
			f.tokens = append(f.tokens, "")
		}
		f.tokens[rank] = string(token)
		ids[string(token)] = uint32(rank)
	}
	// Any two tokens that make a token may merge, at the rank of what they make.
	var pairs []mergePair
	results := make([]uint32, len(f.tokens))
	for token, id := range ids {
		results[id] = id
		for i := 1; i < len(token); i++ {
			left, ok := ids[token[:i]]
			if !ok {
				continue
			}
			if right, ok := ids[token[i:]]; ok {
				pairs = append(pairs, mergePair{left, right, id})
			}
		}
	}
	g := newMerger(pairs, results, len(f.tokens))
	var err error
	f.segment, err = byteLevel(&g, ids, true)
	return f, err
}

// byteLevel segments pieces into bytes and merges them; with whole a piece that
// is a token is not taken apart.
func byteLevel(g *merger, ids map[string]uint32, whole bool) (func(*mergeScratch, string), error) {
	var first [256]uint32
	for c := range 256 {
		id, ok := ids[string([]byte{byte(c)})]
		if !ok {
			return nil, fmt.Errorf("the byte 0x%02x is no token", c)
		}
		first[c] = id
	}
	return func(sc *mergeScratch, piece string) {
		if whole {
			if id, ok := ids[piece]; ok {
				sc.ids = append(sc.ids, id)
				return
			}
		}
		sc.symbols = sc.symbols[:0]
		for i := range len(piece) {
			sc.symbols = append(sc.symbols, symbol{id: first[piece[i]]})
		}
		sc.link()
		g.merge(sc)
	}, nil
}
