package cohere

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EmbedCodec is the door of v2/embed, for texts and floats.
type EmbedCodec struct{}

// DecodeEmbedRequest reads a body of v2/embed.
func (EmbedCodec) DecodeEmbedRequest(body []byte) (*wire.EmbedRequest, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	req := &wire.EmbedRequest{}
	for name, v := range d.Members(d.Root) {
		switch name {
		case "model":
			req.Model = d.Str(v)
		case "texts":
			req.Inputs = d.Strings(v)
		case "input_type":
			req.Task = d.Str(v)
		case "output_dimension":
			req.Dimensions = d.Int(v)
		case "embedding_types": // this door speaks of floats
		default:
			if raw := d.Raw(v); raw != "" {
				req.Extra = append(req.Extra, wire.Extra{Name: strings.Clone(name), Raw: raw})
			}
		}
	}
	if len(req.Inputs) == 0 {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Param: "texts", Message: "'texts' is required"}
	}
	return req, nil
}

// EncodeEmbedRequest writes a body of v2/embed.
func (EmbedCodec) EncodeEmbedRequest(dst []byte, req *wire.EmbedRequest, loss *wire.Loss) ([]byte, error) {
	w := jsonw.Writer{B: append(dst, '{')}
	w.Str("model", req.Model)
	WriteEmbed(&w, req, true, loss)
	w.End()
	return w.B, nil
}

// WriteEmbed writes the members of an embeddings request but for the model:
// Bedrock has the same ones. types says that the model knows embedding_types
// and output_dimension.
func WriteEmbed(w *jsonw.Writer, req *wire.EmbedRequest, types bool, loss *wire.Loss) {
	w.Key("texts")
	w.Array()
	for _, s := range req.Inputs {
		w.String(s)
	}
	w.EndArray()
	w.Str("input_type", InputType(req.Task))
	if types {
		w.RawMember("embedding_types", `["float"]`)
		w.NumIf("output_dimension", req.Dimensions)
	} else if req.Dimensions > 0 {
		loss.Drop("dimensions")
	}
	DropEmbed(req, loss)
}

// DropEmbed notes what neither vendor's embeddings have a place for.
func DropEmbed(req *wire.EmbedRequest, loss *wire.Loss) {
	if req.Title != "" {
		loss.Drop("title")
	}
	if req.User != "" {
		loss.Drop("user")
	}
	for _, x := range req.Extra {
		loss.Drop(x.Name)
	}
}

// InputType is the vendor's word for what the vectors are for. A text that
// nothing is said of is a document to be found.
func InputType(task string) string {
	switch strings.ToLower(task) {
	case "search_query", "retrieval_query", "question_answering", "fact_verification", "code_retrieval_query":
		return "search_query"
	case "classification":
		return "classification"
	case "clustering", "semantic_similarity":
		return "clustering"
	default:
		return "search_document"
	}
}

// DecodeEmbedResponse reads an answer of v2/embed.
func (EmbedCodec) DecodeEmbedResponse(body []byte) (*wire.EmbedResponse, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading embeddings: %w", wire.ErrMalformed)
	}
	return ReadEmbed(d)
}

// ReadEmbed reads {"embeddings": [[…]]} and {"embeddings": {"float": [[…]]}}.
func ReadEmbed(d *wire.Doc) (*wire.EmbedResponse, error) {
	list := d.Get(d.Root, "embeddings")
	if list.Kind == jsonscan.ObjectKind {
		list = d.Get(list, "float")
	}
	if list.Kind != jsonscan.Array {
		return nil, fmt.Errorf("reading embeddings: %w: no vectors of floats", wire.ErrMalformed)
	}
	res := &wire.EmbedResponse{Input: d.IntAt(d.Root, "meta", "billed_units", "input_tokens")}
	if n := d.IntAt(d.Root, "meta", "tokens", "input_tokens"); n > 0 {
		res.Input = n
	}
	for e := range d.Elements(list) {
		vector, err := ReadVector(d, e)
		if err != nil {
			return nil, err
		}
		res.Vectors = append(res.Vectors, vector)
	}
	return res, nil
}

// ReadVector reads an array of numbers.
func ReadVector(d *wire.Doc, v jsonscan.Value) ([]float32, error) {
	if v.Kind != jsonscan.Array {
		return nil, fmt.Errorf("reading embeddings: %w: a vector that is no array", wire.ErrMalformed)
	}
	vector := make([]float32, 0, (v.End-v.Start)/12)
	for e := range d.Elements(v) {
		if e.Kind != jsonscan.Number {
			return nil, fmt.Errorf("reading embeddings: %w: a vector of other things than numbers", wire.ErrMalformed)
		}
		f, _ := e.Float(d.Data)
		if math.Abs(f) > math.MaxFloat32 {
			return nil, fmt.Errorf("reading embeddings: %w: a number out of range", wire.ErrMalformed)
		}
		vector = append(vector, float32(f))
	}
	return vector, nil
}

// WriteVector writes an array of numbers.
func WriteVector(w *jsonw.Writer, vector []float32) {
	w.Array()
	for i, f := range vector {
		if i > 0 {
			w.B = append(w.B, ',')
		}
		w.B = strconv.AppendFloat(w.B, float64(f), 'g', -1, 32)
	}
	w.EndArray()
}

// EncodeEmbedResponse writes an answer of v2/embed.
func (EmbedCodec) EncodeEmbedResponse(dst []byte, res *wire.EmbedResponse, req *wire.EmbedRequest) []byte {
	w := jsonw.Writer{B: append(dst, '{')}
	w.Key("embeddings")
	w.Object()
	w.Key("float")
	w.Array()
	for _, v := range res.Vectors {
		WriteVector(&w, v)
	}
	w.EndArray()
	w.End()
	w.Key("texts")
	w.Array()
	if req != nil {
		for _, s := range req.Inputs {
			w.String(s)
		}
	}
	w.EndArray()
	w.Key("meta")
	w.Object()
	w.Key("billed_units")
	w.Object()
	w.Num("input_tokens", res.Input)
	w.End()
	w.End()
	w.End()
	return w.B
}
