package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"unicode/utf8"
)

// Piece types and model types of sentencepiece_model.proto.
const (
	spUnknown     = 2
	spControl     = 3
	spUserDefined = 4
	spUnused      = 5
	spByte        = 6

	spUnigram = 1
	spBPE     = 2
)

type spPiece struct {
	text  string
	score float32
	kind  int
}

// spModel is a parsed .model file.
type spModel struct {
	pieces       []spPiece
	kind         int
	byteFallback bool
	prefix, trim bool
	escape       bool
	charsmap     bool

	trie    trie // all pieces that text can match
	defined trie // the user-defined ones
	hasUser bool
	bytes   [256]uint32
	unknown uint32
	merger
}

var errProto = errors.New("not a SentencePiece model")

// protoFields calls f for each field of a protobuf message: its number and
// its value, n for a varint or fixed number, b for bytes.
func protoFields(raw []byte, f func(field int, n uint64, b []byte) error) error {
	for len(raw) > 0 {
		tag, size := binary.Uvarint(raw)
		if size <= 0 {
			return errProto
		}
		raw = raw[size:]
		var n uint64
		var b []byte
		switch tag & 7 {
		case 0:
			if n, size = binary.Uvarint(raw); size <= 0 {
				return errProto
			}
			raw = raw[size:]
		case 1, 5:
			width := 8 - int(tag&4)
			if len(raw) < width {
				return errProto
			}
			for i := width - 1; i >= 0; i-- {
				n = n<<8 | uint64(raw[i])
			}
			raw = raw[width:]
		case 2:
			length, size := binary.Uvarint(raw)
			if size <= 0 || length > uint64(len(raw)-size) {
				return errProto
			}
			b, raw = raw[size:size+int(length)], raw[size+int(length):]
		default:
			return errProto
		}
		if err := f(int(tag>>3), n, b); err != nil {
			return err
		}
	}
	return nil
}

func parseSentencePiece(raw []byte) (*spModel, error) {
	m := &spModel{kind: spUnigram, prefix: true, trim: true, escape: true}
	err := protoFields(raw, func(field int, _ uint64, b []byte) error {
		switch field {
		case 1:
			p := spPiece{kind: 1}
			err := protoFields(b, func(field int, n uint64, b []byte) error {
				switch field {
				case 1:
					p.text = string(b)
				case 2:
					p.score = math.Float32frombits(uint32(n))
				case 3:
					p.kind = int(n)
				}
				return nil
			})
			m.pieces = append(m.pieces, p)
			return err
		case 2:
			return protoFields(b, func(field int, n uint64, _ []byte) error {
				switch field {
				case 3:
					m.kind = int(n)
				case 24:
					if n != 0 {
						return errors.New("white space as suffix is not supported")
					}
				case 35:
					m.byteFallback = n != 0
				}
				return nil
			})
		case 3:
			return protoFields(b, func(field int, n uint64, b []byte) error {
				switch field {
				case 2:
					m.charsmap = len(b) > 0
				case 3:
					m.prefix = n != 0
				case 4:
					m.trim = n != 0
				case 5:
					m.escape = n != 0
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch {
	case len(m.pieces) == 0 || len(m.pieces) >= idMask:
		return nil, errProto
	case m.charsmap:
		return nil, errors.New("only the identity normaliser is supported")
	case !m.escape:
		return nil, errors.New("unescaped white space is not supported")
	case m.kind != spBPE && m.kind != spUnigram:
		return nil, fmt.Errorf("model type %d is neither unigram nor BPE", m.kind)
	}
	return m, nil
}

func readSentencePiece(raw []byte) (*foreign, error) {
	m, err := parseSentencePiece(raw)
	if err != nil {
		return nil, err
	}
	f := &foreign{space: true, prefix: m.prefix, trim: m.trim, tokens: make([]string, len(m.pieces))}
	ids := map[string]uint32{}
	users := map[string]uint32{}
	haveBytes := 0
	for i, p := range m.pieces {
		f.tokens[i] = unescapePiece(p)
		switch p.kind {
		case spUnknown:
			m.unknown = uint32(i)
		case spControl, spUnused:
		case spByte:
			var c byte
			if _, err := fmt.Sscanf(p.text, "<0x%02X>", &c); err != nil {
				return nil, fmt.Errorf("piece %q is no byte", p.text)
			}
			m.bytes[c] = uint32(i)
			haveBytes++
		default:
			if p.text == "" || len(p.text) > 255 {
				return nil, fmt.Errorf("piece %d is %d bytes long", i, len(p.text))
			}
			if p.kind == spUserDefined {
				users[p.text] = uint32(i)
			}
			ids[p.text] = uint32(i)
		}
	}
	if m.byteFallback && haveBytes != 256 {
		return nil, fmt.Errorf("%d of 256 bytes are pieces", haveBytes)
	}
	m.hasUser = len(users) > 0
	m.trie, m.defined = trieOf(ids, len(m.pieces)), trieOf(users, len(m.pieces))
	if m.kind == spUnigram {
		f.segment = m.unigram()
		return f, nil
	}
	m.merges(ids)
	f.segment = m.bpe
	return f, nil
}

func unescapePiece(p spPiece) string {
	if p.kind == spByte {
		var c byte
		fmt.Sscanf(p.text, "<0x%02X>", &c) //nolint:errcheck // checked by the caller
		return string([]byte{c})
	}
	out := make([]byte, 0, len(p.text))
	for _, r := range p.text {
		if r == '\u2581' {
			r = ' '
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// trieOf builds a trie over tokens.
func trieOf(ids map[string]uint32, size int) trie {
	v := &vocab{size: size, nodes: 1}
	texts := make([]string, 0, len(ids))
	for text := range ids {
		texts = append(texts, text)
	}
	sort.Strings(texts)
	for _, text := range texts {
		v.entries = append(v.entries, entry{off: uint32(len(v.blob)), id: ids[text], size: uint16(len(text))})
		v.blob = append(v.blob, text...)
		v.longest, v.nodes = max(v.longest, len(text)), v.nodes+len(text)
	}
	if len(texts) == 0 {
		return trie{nodes: make([]uint64, 256)}
	}
	return buildTrie(v)
}

// merges ranks all pairs of pieces that make a piece by its score: the highest
// first, equal ones in the order of the file.
func (m *spModel) merges(ids map[string]uint32) {
	order := make([]uint32, 0, len(ids))
	for _, id := range ids {
		if m.pieces[id].kind != spUserDefined {
			order = append(order, id)
		}
	}
	sort.Slice(order, func(a, b int) bool {
		x, y := m.pieces[order[a]], m.pieces[order[b]]
		return x.score > y.score || x.score == y.score && order[a] < order[b]
	})
	var pairs []mergePair
	for rank, id := range order {
		text := m.pieces[id].text
		for i := range text {
			if i == 0 {
				continue
			}
			left, ok := ids[text[:i]]
			if !ok {
				continue
			}
			if right, ok := ids[text[i:]]; ok {
				pairs = append(pairs, mergePair{left, right, uint32(rank)})
			}
		}
	}
	m.merger = newMerger(pairs, order, len(m.pieces))
}

// bpe splits a text into characters and user-defined pieces and merges them.
func (m *spModel) bpe(sc *mergeScratch, s string) {
	sc.symbols = sc.symbols[:0]
	unknown := false
	for i := 0; i < len(s); {
		if m.hasUser {
			if id, n := m.defined.longest(s[i:]); n > 0 {
				sc.symbols = append(sc.symbols, symbol{id: id | frozen})
				i, unknown = i+n, false
				continue
			}
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		switch id, ok := m.trie.find(stringBytes(s[i : i+n])); {
		case ok:
			sc.symbols = append(sc.symbols, symbol{id: id})
			unknown = false
		case m.byteFallback:
			for _, c := range []byte(s[i : i+n]) {
				sc.symbols = append(sc.symbols, symbol{id: m.bytes[c] | frozen})
			}
			unknown = false
		case !unknown: // unknown characters in a row are one token
			sc.symbols = append(sc.symbols, symbol{id: m.unknown | frozen})
			unknown = true
		}
		i += n
	}
	sc.link()
	m.merge(sc)
}
