package openai

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EmbedCodec is the door of embeddings.
type EmbedCodec struct{}

// DecodeEmbedRequest reads a request for embeddings of text.
func (EmbedCodec) DecodeEmbedRequest(body []byte) (*wire.EmbedRequest, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	req := new(wire.EmbedRequest)
	for name, v := range r.Members(r.Root) {
		switch name {
		case "model":
			req.Model = r.str(name, v)
		case "input":
			r.input(req, v)
		case "dimensions":
			req.Dimensions = r.whole(name, v, 1)
		case "encoding_format":
			switch format := r.str(name, v); format {
			case "base64":
				req.Base64 = true
			case "", "float":
			default:
				r.fail(name, "'encoding_format' must be float or base64")
			}
		case "user":
			req.User = r.str(name, v)
		default:
			r.extra(name, v)
		}
	}
	if r.failure == nil && len(req.Inputs) == 0 {
		r.fail("input", "'input' is required")
	}
	if r.failure != nil {
		return nil, r.failure
	}
	req.Extra = r.req.Extra
	return req, nil
}

func (r *requestReader) input(req *wire.EmbedRequest, v jsonscan.Value) {
	req.Inputs, req.Single = nil, v.Kind == jsonscan.String
	if req.Single {
		req.Inputs = []string{r.Str(v)}
		return
	}
	if !r.is("input", v, jsonscan.Array) {
		return
	}
	for e := range r.Elements(v) {
		switch e.Kind {
		case jsonscan.String:
			req.Inputs = append(req.Inputs, r.Str(e))
		case jsonscan.Number, jsonscan.Array:
			r.fail("input", "'input' must be text: tokens mean something else to the provider of this model, which has another tokenizer")
			return
		default:
			r.fail("input", "'input' must be a string or an array of strings")
			return
		}
	}
}

// EncodeEmbedRequest asks an upstream for embeddings, always as floats, which
// every server knows.
func (EmbedCodec) EncodeEmbedRequest(dst []byte, req *wire.EmbedRequest, loss *wire.Loss) ([]byte, error) {
	w := jsonw.Writer{B: dst}
	w.Object()
	w.Str("model", req.Model)
	w.Key("input")
	if req.Single && len(req.Inputs) == 1 {
		w.String(req.Inputs[0])
	} else {
		w.Array()
		for _, s := range req.Inputs {
			w.String(s)
		}
		w.EndArray()
	}
	w.NumIf("dimensions", req.Dimensions)
	w.Str("encoding_format", "float")
	w.StrIf("user", req.User)
	if req.Task != "" {
		loss.Drop("task_type")
	}
	if req.Title != "" {
		loss.Drop("title")
	}
	for _, x := range req.Extra {
		loss.Drop(x.Name)
	}
	w.End()
	return w.B, nil
}

// DecodeEmbedResponse reads vectors as arrays or as base64 of little-endian
// float32.
func (EmbedCodec) DecodeEmbedResponse(body []byte) (*wire.EmbedResponse, error) {
	doc, err := wire.ParseDoc(body)
	if err != nil || doc.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading embeddings: %w", wire.ErrMalformed)
	}
	data := doc.Get(doc.Root, "data")
	if data.Kind != jsonscan.Array {
		return nil, fmt.Errorf("reading embeddings: %w: no data", wire.ErrMalformed)
	}
	res := &wire.EmbedResponse{Model: doc.StrAt(doc.Root, "model")}
	for e := range doc.Elements(data) {
		vector, err := readVector(doc, doc.Get(e, "embedding"))
		if err != nil {
			return nil, err
		}
		res.Vectors = append(res.Vectors, vector)
	}
	// The list is in the order of the input, but only index is promised.
	i := 0
	sorted := make([][]float32, len(res.Vectors))
	for e := range doc.Elements(data) {
		at := i
		if n, ok := doc.Get(e, "index").Int(doc.Data); ok && n >= 0 && n < int64(len(sorted)) && sorted[n] == nil {
			at = int(n)
		}
		if sorted[at] != nil {
			return nil, fmt.Errorf("reading embeddings: %w: two vectors for input %d", wire.ErrMalformed, at)
		}
		sorted[at] = res.Vectors[i]
		i++
	}
	res.Vectors = sorted
	usage := doc.Get(doc.Root, "usage")
	if res.Input = doc.IntAt(usage, "prompt_tokens"); res.Input == 0 {
		res.Input = doc.IntAt(usage, "total_tokens")
	}
	return res, nil
}

func readVector(d *wire.Doc, v jsonscan.Value) ([]float32, error) {
	vector := []float32{}
	switch v.Kind {
	case jsonscan.Array:
		for e := range d.Elements(v) {
			f, err := strconv.ParseFloat(string(d.Num(e)), 32)
			if err != nil {
				return nil, fmt.Errorf("reading embeddings: %w: not a number", wire.ErrMalformed)
			}
			vector = append(vector, float32(f))
		}
	case jsonscan.String:
		raw, err := base64.StdEncoding.AppendDecode(nil, d.Bytes(v))
		if err != nil || len(raw)%4 != 0 {
			return nil, fmt.Errorf("reading embeddings: %w: not base64 of float32", wire.ErrMalformed)
		}
		for ; len(raw) > 0; raw = raw[4:] {
			f := math.Float32frombits(binary.LittleEndian.Uint32(raw))
			if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) { // JSON has no such number
				return nil, fmt.Errorf("reading embeddings: %w: not a number", wire.ErrMalformed)
			}
			vector = append(vector, f)
		}
	default:
		return nil, fmt.Errorf("reading embeddings: %w: no vector", wire.ErrMalformed)
	}
	return vector, nil
}

// EncodeEmbedResponse writes the vectors in the form that the client asked
// for.
func (EmbedCodec) EncodeEmbedResponse(dst []byte, res *wire.EmbedResponse, req *wire.EmbedRequest) []byte {
	w := jsonw.Writer{B: dst}
	model := res.Model
	if model == "" {
		model = req.Model
	}
	w.Object()
	w.Str("object", "list")
	w.Key("data")
	w.Array()
	var packed []byte
	for i, vector := range res.Vectors {
		w.Object()
		w.Str("object", "embedding")
		w.Num("index", int64(i))
		w.Key("embedding")
		if req.Base64 {
			packed = packed[:0]
			for _, f := range vector {
				packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(f))
			}
			w.B = append(w.B, '"')
			w.B = base64.StdEncoding.AppendEncode(w.B, packed)
			w.B = append(w.B, '"')
		} else {
			w.Array()
			for j, f := range vector {
				if j > 0 {
					w.B = append(w.B, ',')
				}
				w.B = strconv.AppendFloat(w.B, float64(f), 'g', -1, 32)
			}
			w.EndArray()
		}
		w.End()
	}
	w.EndArray()
	w.Str("model", model)
	w.Key("usage")
	w.Object()
	w.Num("prompt_tokens", res.Input)
	w.Num("total_tokens", res.Input)
	w.End()
	w.End()
	return w.B
}
