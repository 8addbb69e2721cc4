package embedding

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// Piece is some of an answer's vectors: those from From to before To.
type Piece struct {
	*Answer
	From, To int
}

// Build appends an answer of op that has the vectors of pieces, in order, and
// reports usage. All else that the answers held is left out: it is not known
// whom it is of.
func Build(dst []byte, op *wire.Operation, usage Usage, pieces ...Piece) ([]byte, error) {
	first, size := pieces[0], 256
	for _, p := range pieces {
		if len(p.lists) != len(first.lists) {
			return nil, fmt.Errorf("joining embeddings: %w: answers of different forms", wire.ErrMalformed)
		}
		for i := range p.lists {
			if p.lists[i].name != first.lists[i].name {
				return nil, fmt.Errorf("joining embeddings: %w: answers of different forms", wire.ErrMalformed)
			}
			for _, v := range p.lists[i].vectors[p.From:p.To] {
				size += len(v.raw) + 8 // the comma and a longer number
			}
		}
	}
	w := jsonw.Writer{B: append(slices.Grow(dst, size), '{')}
	switch op {
	case wire.Embeddings:
		w.Str("object", "list")
		w.Key("data")
		writeList(&w, pieces, 0)
		if first.model != nil {
			w.Key("model")
			w.B = append(w.B, first.model...)
		}
		usage.write(&w, "usage", "prompt_tokens", "total_tokens")
	case wire.GeminiEmbed:
		w.Key("embedding")
		w.B = append(w.B, first.lists[0].vectors[first.From].raw...)
		usage.write(&w, "usageMetadata", "promptTokenCount", "totalTokenCount")
	case wire.GeminiBatchEmbed:
		w.Key("embeddings")
		writeList(&w, pieces, 0)
		usage.write(&w, "usageMetadata", "promptTokenCount", "totalTokenCount")
	case wire.CohereEmbed:
		writeForms(&w, pieces)
		if usage != Unreported {
			w.Key("meta")
			w.Object()
			Usage{usage[0], -1}.write(&w, "billed_units", "input_tokens", "")
			Usage{usage[1], -1}.write(&w, "tokens", "input_tokens", "")
			w.End()
		}
	default:
		writeForms(&w, pieces)
		if usage[0] >= 0 {
			w.Num("inputTextTokenCount", usage[0])
		}
	}
	w.End()
	return w.B, nil
}

// write writes an object with the counts that are known; none if none is.
func (u Usage) write(w *jsonw.Writer, object, a, b string) {
	if u == Unreported {
		return
	}
	w.Key(object)
	w.Object()
	if u[0] >= 0 {
		w.Num(a, u[0])
	}
	if u[1] >= 0 {
		w.Num(b, u[1])
	}
	w.End()
}

// writeForms writes `embeddings`, a list or an object with one of each type.
func writeForms(w *jsonw.Writer, pieces []Piece) {
	w.Key("embeddings")
	lists := pieces[0].lists
	if len(lists) == 1 && lists[0].name == "" {
		writeList(w, pieces, 0)
		return
	}
	w.Object()
	for i := range lists {
		w.String(lists[i].name)
		w.B = append(w.B, ':')
		writeList(w, pieces, i)
	}
	w.End()
}

// writeList writes the vectors of pieces in form i, numbered anew.
func writeList(w *jsonw.Writer, pieces []Piece, i int) {
	w.Array()
	n := int64(0)
	for _, p := range pieces {
		for _, v := range p.lists[i].vectors[p.From:p.To] {
			if n > 0 {
				w.B = append(w.B, ',')
			}
			if at := v.number; at.End > 0 {
				w.B = append(w.B, v.raw[:at.Start]...)
				w.B = strconv.AppendInt(w.B, n, 10)
				w.B = append(w.B, v.raw[at.End:]...)
			} else {
				w.B = append(w.B, v.raw...)
			}
			n++
		}
	}
	w.EndArray()
}
