package bedrock

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/cohere"
)

// EmbedCodec is the door of InvokeModel for embeddings: Titan's, one text a
// call, and Cohere's, for models whose bare name begins with embed-.
type EmbedCodec struct{}

// DecodeEmbedRequest reads a body of either model.
func (EmbedCodec) DecodeEmbedRequest(body []byte) (*wire.EmbedRequest, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	req := &wire.EmbedRequest{}
	for name, v := range d.Members(d.Root) {
		switch name {
		case "inputText":
			req.Inputs, req.Single = d.Strings(v), v.Kind == jsonscan.String
		case "texts":
			req.Inputs = d.Strings(v)
		case "dimensions", "output_dimension":
			req.Dimensions = d.Int(v)
		case "input_type":
			req.Task = d.Str(v)
		case "normalize", "embedding_types", "embeddingTypes":
		default:
			if raw := d.Raw(v); raw != "" {
				req.Extra = append(req.Extra, wire.Extra{Name: strings.Clone(name), Raw: raw})
			}
		}
	}
	if len(req.Inputs) == 0 {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Param: "inputText", Message: "'inputText' or 'texts' is required"}
	}
	return req, nil
}

// EncodeEmbedRequest writes the body for the model that req names.
func (EmbedCodec) EncodeEmbedRequest(dst []byte, req *wire.EmbedRequest, loss *wire.Loss) ([]byte, error) {
	w := jsonw.Writer{B: append(dst, '{')}
	if wire.CohereOnBedrock(req.Model) {
		v4 := strings.HasPrefix(strings.ToLower(wire.BareModel(req.Model)), "embed-v4")
		cohere.WriteEmbed(&w, req, v4, loss)
		w.End()
		return w.B, nil
	}
	w.Key("inputText")
	if len(req.Inputs) == 1 {
		w.String(req.Inputs[0])
	} else {
		w.Array() // no model takes that: package embedding makes a call of each
		for _, s := range req.Inputs {
			w.String(s)
		}
		w.EndArray()
	}
	if req.Dimensions > 0 {
		if strings.Contains(req.Model, "titan-embed-text-v1") || strings.Contains(req.Model, "titan-embed-g1") {
			loss.Drop("dimensions")
		} else {
			w.Num("dimensions", req.Dimensions)
		}
	}
	cohere.DropEmbed(req, loss)
	if req.Task != "" {
		loss.Drop("task")
	}
	w.End()
	return w.B, nil
}

// DecodeEmbedResponse reads an answer of either model.
func (EmbedCodec) DecodeEmbedResponse(body []byte) (*wire.EmbedResponse, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading embeddings: %w", wire.ErrMalformed)
	}
	one := d.Get(d.Root, "embedding")
	if one.Kind != jsonscan.Array {
		res, err := cohere.ReadEmbed(d)
		if err == nil && res.Input == 0 {
			res.Input = d.IntAt(d.Root, "inputTextTokenCount")
		}
		return res, err
	}
	vector, err := cohere.ReadVector(d, one)
	if err != nil {
		return nil, err
	}
	return &wire.EmbedResponse{Vectors: [][]float32{vector}, Input: d.IntAt(d.Root, "inputTextTokenCount")}, nil
}

// EncodeEmbedResponse writes an answer in the shape of the model that req names.
func (EmbedCodec) EncodeEmbedResponse(dst []byte, res *wire.EmbedResponse, req *wire.EmbedRequest) []byte {
	w := jsonw.Writer{B: append(dst, '{')}
	cohereModel := wire.CohereOnBedrock(req.Model)
	switch {
	case cohereModel, len(res.Vectors) > 1:
		w.Key("embeddings")
		w.Array()
		for _, v := range res.Vectors {
			cohere.WriteVector(&w, v)
		}
		w.EndArray()
	case len(res.Vectors) == 1:
		w.Key("embedding")
		cohere.WriteVector(&w, res.Vectors[0])
	default:
		w.RawMember("embedding", "[]")
	}
	if cohereModel {
		w.Str("response_type", "embeddings_floats")
		w.End()
		return w.B
	}
	w.Num("inputTextTokenCount", res.Input)
	w.End()
	return w.B
}
