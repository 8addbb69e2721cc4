package embedding

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// Answer is an upstream's answer as its vectors lie in it.
type Answer struct {
	Usage Usage

	lists []list
	model []byte
}

// list is one form of the vectors; most answers have one.
type list struct {
	name    string
	vectors []vector
}

// vector is the JSON of one, as spelled, and where in it its number stands.
type vector struct {
	raw    []byte
	number jsonscan.Edit
}

// Usage are the counts of tokens that an answer reports, in the order of its
// operation's paths; -1 for those that it does not have.
type Usage [2]int64

// Unreported is the usage of which nothing is known.
var Unreported = Usage{-1, -1}

// Tokens is the count of the prompt's tokens, -1 when there is none.
func (u Usage) Tokens() int64 {
	if u[0] >= 0 {
		return u[0]
	}
	return u[1]
}

// Plus adds up; a count that one of them lacks is not known.
func (u Usage) Plus(v Usage) Usage {
	for i := range u {
		if u[i] < 0 || v[i] < 0 {
			u[i] = -1
		} else {
			u[i] += v[i]
		}
	}
	return u
}

var usagePaths = map[*wire.Operation][][]string{
	wire.Embeddings:       {{"usage", "prompt_tokens"}, {"usage", "total_tokens"}},
	wire.GeminiBatchEmbed: {{"usageMetadata", "promptTokenCount"}, {"usageMetadata", "totalTokenCount"}},
	wire.CohereEmbed:      {{"meta", "billed_units", "input_tokens"}, {"meta", "tokens", "input_tokens"}},
	wire.InvokeEmbed:      {{"inputTextTokenCount"}},
}

// ParseAnswer reads body, an answer of op to a call for so many inputs. It
// must have one vector for each; a body that is kept by the answer.
func ParseAnswer(op *wire.Operation, body []byte, inputs int) (*Answer, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading embeddings: %w", wire.ErrMalformed)
	}
	a := &Answer{Usage: Unreported}
	for i, path := range usagePaths[op] {
		if n, ok := wire.Count(body, d.Get(d.Root, path...)); ok {
			a.Usage[i] = n // -1 where it is absurd
		}
	}
	switch op {
	case wire.Embeddings:
		if model := d.Get(d.Root, "model"); model.Exists() {
			a.model = model.Raw(body)
		}
		err = a.read(d, "data", d.Get(d.Root, "data"), inputs)
	case wire.GeminiBatchEmbed:
		err = a.read(d, "embeddings", d.Get(d.Root, "embeddings"), inputs)
	default:
		err = a.readForms(d, inputs)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// readForms reads Cohere's answers, a list or several by type, and Titan's one
// vector.
func (a *Answer) readForms(d *wire.Doc, inputs int) error {
	if one := d.Get(d.Root, "embedding"); one.Kind == jsonscan.Array && inputs == 1 {
		a.lists = []list{{vectors: []vector{{raw: one.Raw(d.Data)}}}}
		return nil
	}
	forms := d.Get(d.Root, "embeddings")
	if forms.Kind != jsonscan.ObjectKind {
		return a.read(d, "", forms, inputs)
	}
	for key, v := range jsonscan.Members(d.Data, forms) {
		if v.Kind != jsonscan.Array {
			continue
		}
		if err := a.read(d, d.Str(key), v, inputs); err != nil {
			return err
		}
	}
	if len(a.lists) == 0 {
		return fmt.Errorf("reading embeddings: %w: no vectors", wire.ErrMalformed)
	}
	return nil
}

func (a *Answer) read(d *wire.Doc, name string, v jsonscan.Value, inputs int) error {
	vectors := make([]vector, inputs)
	n := 0
	for e := range d.Elements(v) {
		at := n
		if n++; n > inputs {
			break
		}
		found := vector{raw: e.Raw(d.Data)}
		// The list is in the order of the input, but only index is promised.
		if index := d.Get(e, "index"); e.Kind == jsonscan.ObjectKind && index.Exists() {
			i, ok := index.Int(d.Data)
			if !ok || i < 0 || i >= int64(inputs) {
				return fmt.Errorf("reading embeddings: %w: a vector for no input", wire.ErrMalformed)
			}
			at = int(i)
			found.number = jsonscan.Edit{Start: index.Start - e.Start, End: index.End - e.Start}
		}
		if vectors[at].raw != nil {
			return fmt.Errorf("reading embeddings: %w: two vectors for input %d", wire.ErrMalformed, at)
		}
		vectors[at] = found
	}
	if n != inputs {
		return fmt.Errorf("reading embeddings: %w: not one vector for each input", wire.ErrMalformed)
	}
	a.lists = append(a.lists, list{name, vectors})
	return nil
}
