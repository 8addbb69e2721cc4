package gemini

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EmbedCodec translates batchEmbedContents, or embedContent when Op is
// wire.GeminiEmbed.
type EmbedCodec struct {
	Op *wire.Operation
}

// Interface guard.
var _ wire.EmbedCodec = EmbedCodec{}

// DecodeEmbedRequest reads a request of texts.
func (c EmbedCodec) DecodeEmbedRequest(body []byte) (*wire.EmbedRequest, error) {
	doc, err := wire.ParseDoc(body)
	if err != nil || doc.Root.Kind != jsonscan.ObjectKind {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body is not a valid JSON object"}
	}
	r := &embedReader{reader: reader{Doc: doc, req: &wire.Request{}}, out: new(wire.EmbedRequest)}
	if c.Op == wire.GeminiEmbed {
		r.out.Single = true
		r.one(doc.Root, nil)
	} else {
		r.members(doc.Root, nil, func(name string, at *path, v jsonscan.Value) {
			if name == "requests" {
				r.each(v, at, func(at *path, v jsonscan.Value) { r.one(v, at) })
			} else if name != "model" {
				r.extra(at, v)
			}
		})
	}
	if r.failure == nil && len(r.out.Inputs) == 0 {
		r.fail((*path)(nil).member("requests"), "must hold a request")
	}
	if r.failure != nil {
		return nil, r.failure
	}
	r.out.Extra = r.req.Extra
	return r.out, nil
}

type embedReader struct {
	reader
	out *wire.EmbedRequest
}

// one reads the request for one embedding. Those of a batch are one request to
// other vendors, so they must agree.
func (r *embedReader) one(v jsonscan.Value, at *path) {
	first := len(r.out.Inputs) == 0
	var task, title, input string
	var dimensions int64
	var found bool
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "model":
			r.out.Model = strings.TrimPrefix(r.text(v, at), "models/")
		case "content":
			found = true
			input = r.input(v, at)
		case "taskType":
			task = r.text(v, at)
		case "title":
			title = r.text(v, at)
		case "outputDimensionality":
			dimensions = r.integer(v, at)
		default:
			r.extra(at, v)
		}
	})
	switch {
	case r.failure != nil:
		return
	case !found:
		r.fail(at.member("content"), "is missing")
	case first:
		r.out.Task, r.out.Title, r.out.Dimensions = task, title, dimensions
	case task != r.out.Task || dimensions != r.out.Dimensions:
		r.fail(at, "must have the same taskType and outputDimensionality as the others")
	case title != r.out.Title: // titles are of documents and only help
		r.req.Extra = append(r.req.Extra, wire.Extra{Name: at.member("title").String(), Raw: string(jsonscan.AppendString(nil, title))})
	}
	r.out.Inputs = append(r.out.Inputs, input)
}

// input is the text of a content.
func (r *embedReader) input(v jsonscan.Value, at *path) (text string) {
	var blocks []wire.Block
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		if name != "parts" {
			return
		}
		r.each(v, at, func(at *path, v jsonscan.Value) {
			before := len(blocks)
			blocks = r.part(blocks, v, at)
			for i := before; i < len(blocks); i++ {
				if blocks[i].Type != wire.TextBlock {
					r.fail(at, "must be a text")
					return
				}
			}
		})
	})
	return wire.JoinText(blocks)
}

// EncodeEmbedRequest appends a request for all inputs.
func (c EmbedCodec) EncodeEmbedRequest(dst []byte, req *wire.EmbedRequest, loss *wire.Loss) ([]byte, error) {
	w := jsonw.Writer{B: append(dst, '{')}
	if c.Op == wire.GeminiEmbed {
		if len(req.Inputs) != 1 {
			return nil, wire.Unmappable("input", "more than one input", "embedContent")
		}
		writeEmbed(&w, req, req.Inputs[0])
	} else {
		w.Key("requests")
		w.Array()
		for _, input := range req.Inputs {
			w.Object()
			writeEmbed(&w, req, input)
			w.End()
		}
		w.EndArray()
	}
	w.End()
	if req.User != "" {
		loss.Drop("user")
	}
	for _, x := range req.Extra {
		loss.Drop(x.Name)
	}
	return w.B, nil
}

func writeEmbed(w *jsonw.Writer, req *wire.EmbedRequest, input string) {
	if model := strings.TrimPrefix(req.Model, "models/"); model != "" {
		w.Str("model", "models/"+model)
	}
	w.Key("content")
	w.Object()
	w.Key("parts")
	w.Array()
	w.Object()
	w.Str("text", input)
	w.End()
	w.EndArray()
	w.End()
	w.StrIf("taskType", taskType(req.Task))
	w.StrIf("title", req.Title)
	w.NumIf("outputDimensionality", req.Dimensions)
}

// taskType is a task in Gemini's words; Cohere has its own.
func taskType(task string) string {
	switch task {
	case "search_document":
		return "RETRIEVAL_DOCUMENT"
	case "search_query":
		return "RETRIEVAL_QUERY"
	default:
		return strings.ToUpper(task)
	}
}

// DecodeEmbedResponse reads the answer of either operation.
func (EmbedCodec) DecodeEmbedResponse(body []byte) (*wire.EmbedResponse, error) {
	d, err := wire.ParseDoc(body)
	if err != nil {
		return nil, fmt.Errorf("reading embeddings: %w: %w", wire.ErrMalformed, err)
	}
	res := &wire.EmbedResponse{Input: d.IntAt(d.Root, "usageMetadata", "promptTokenCount")}
	list := d.Get(d.Root, "embeddings")
	single := d.Get(d.Root, "embedding")
	if list.Kind != jsonscan.Array && single.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading embeddings: %w: there are none", wire.ErrMalformed)
	}
	add := func(v jsonscan.Value) bool {
		values := d.Get(v, "values")
		vector := []float32{}
		for n := range d.Elements(values) {
			f, err := strconv.ParseFloat(string(d.Num(n)), 32)
			if err != nil {
				return false
			}
			vector = append(vector, float32(f))
		}
		res.Vectors = append(res.Vectors, vector)
		return values.Kind == jsonscan.Array
	}
	ok := single.Kind != jsonscan.ObjectKind || add(single)
	for e := range d.Elements(list) {
		ok = ok && add(e)
	}
	if !ok {
		return nil, fmt.Errorf("reading embeddings: %w: no vector of numbers", wire.ErrMalformed)
	}
	return res, nil
}

// EncodeEmbedResponse appends the answer of the operation.
func (c EmbedCodec) EncodeEmbedResponse(dst []byte, res *wire.EmbedResponse, _ *wire.EmbedRequest) []byte {
	w := jsonw.Writer{B: append(dst, '{')}
	if c.Op == wire.GeminiEmbed {
		w.Key("embedding")
		var vector []float32
		if len(res.Vectors) > 0 {
			vector = res.Vectors[0]
		}
		writeVector(&w, vector)
	} else {
		w.Key("embeddings")
		w.Array()
		for _, vector := range res.Vectors {
			writeVector(&w, vector)
		}
		w.EndArray()
	}
	if res.Input > 0 {
		w.Key("usageMetadata")
		w.Object()
		w.Num("promptTokenCount", res.Input)
		w.End()
	}
	w.End()
	return w.B
}

func writeVector(w *jsonw.Writer, vector []float32) {
	w.Object()
	w.Key("values")
	w.Array()
	for i, f := range vector {
		if i > 0 {
			w.B = append(w.B, ',')
		}
		w.B = strconv.AppendFloat(w.B, float64(f), 'g', -1, 32)
	}
	w.EndArray()
	w.End()
}
