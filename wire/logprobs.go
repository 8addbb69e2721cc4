package wire

import (
	"bytes"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// joinLogProbs makes one object of the log probabilities of a stream's pieces:
// their lists follow each other, in chat's form (content, refusal) and in that
// of completions (tokens, token_logprobs, ...) alike.
func joinLogProbs(pieces [][]byte) []byte {
	if len(pieces) == 0 {
		return nil
	}
	if len(pieces) == 1 {
		return pieces[0]
	}
	var (
		doc   Doc
		names []string
		lists = make(map[string]*bytes.Buffer)
	)
	for _, piece := range pieces {
		if doc.Reset(piece) != nil {
			continue
		}
		for name, v := range doc.Members(doc.Root) {
			list, known := lists[name]
			if !known {
				name = string(append([]byte(nil), name...))
				names = append(names, name)
				list = new(bytes.Buffer)
				lists[name] = list
			}
			if v.Kind != jsonscan.Array {
				continue
			}
			inner := bytes.TrimSpace(piece[v.Start+1 : v.End-1])
			switch {
			case list.Len() == 0:
				list.WriteByte('[')
			case len(inner) > 0 && list.Bytes()[list.Len()-1] != '[':
				list.WriteByte(',')
			}
			list.Write(inner)
		}
	}
	out := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsonscan.AppendString(out, name), ':')
		if list := lists[name]; list.Len() > 0 {
			out = append(append(out, list.Bytes()...), ']')
		} else {
			out = append(out, "null"...)
		}
	}
	return append(out, '}')
}

// tokenProbs are the tokens of chat's log probabilities of a text, one by one.
type tokenProbs struct {
	doc  Doc
	list []jsonscan.Value
}

// read reports whether raw is such a list and nothing else.
func (t *tokenProbs) read(raw string) bool {
	t.list = t.list[:0]
	if t.doc.Reset([]byte(raw)) != nil {
		return false
	}
	for name, v := range t.doc.Members(t.doc.Root) {
		switch {
		case name == "content" && v.Kind == jsonscan.Array:
			for e := range t.doc.Elements(v) {
				t.list = append(t.list, e)
			}
		case v.Kind != jsonscan.Null:
			return false
		}
	}
	return len(t.list) > 0
}

// cover reports whether the tokens are those of the texts of an answer, and not
// of something before them. More may follow, such as the one that ends it.
func (t *tokenProbs) cover(blocks []Block) bool {
	all := t.list
	defer func() { t.list = all }()
	for i := range blocks {
		if blocks[i].Type != TextBlock {
			continue
		}
		for text := blocks[i].Text; text != ""; {
			size, n := t.next(text)
			if n == 0 {
				return false
			}
			text, t.list = text[size:], t.list[n:]
		}
	}
	return true
}

// next is what of text belongs to the tokens that come next: as many as make
// whole characters; n is their number, 0 when they do not stand there.
func (t *tokenProbs) next(text string) (size, n int) {
	for n < len(t.list) {
		token := t.bytes(t.list[n])
		if !strings.HasPrefix(text[size:], string(token)) {
			return 0, 0
		}
		size += len(token)
		n++
		if size > 0 && atRune(text, size) {
			return size, n
		}
	}
	return 0, 0
}

// bytes are a token's own: its text is not that of half a character.
func (t *tokenProbs) bytes(v jsonscan.Value) []byte {
	list := t.doc.Get(v, "bytes")
	if list.Kind != jsonscan.Array {
		return t.doc.Bytes(t.doc.Get(v, "token"))
	}
	var b []byte
	for e := range t.doc.Elements(list) {
		b = append(b, byte(t.doc.Int(e)))
	}
	return b
}

// append appends the object of the next n tokens, 0 for all, and leaves them
// behind.
func (t *tokenProbs) append(dst []byte, n int) []byte {
	if n == 0 {
		n = len(t.list)
	}
	dst = append(dst, `{"content":[`...)
	for i, v := range t.list[:n] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, v.Raw(t.doc.Data)...)
	}
	t.list = t.list[n:]
	return append(dst, `],"refusal":null}`...)
}
