package gemini

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// Codec translates generateContent and streamGenerateContent. The zero value
// is for AI Studio and for clients.
type Codec struct {
	// Vertex says that the upstream is Vertex AI, which alone takes labels.
	Vertex bool
}

// Interface guards.
var (
	_ wire.Codec         = Codec{}
	_ wire.StreamDecoder = (*streamDecoder)(nil)
	_ wire.StreamEncoder = (*streamEncoder)(nil)
)

// DecodeRequest reads the body of generateContent. The caller sets Model and
// Stream, which stand in the path.
func (Codec) DecodeRequest(body []byte) (*wire.Request, error) {
	doc, ok := wire.RequestDoc(body)
	if !ok {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body is not a valid JSON object"}
	}
	r := &reader{Doc: doc, req: &wire.Request{
		Texts:        doc.Texts,
		Dialect:      wire.Gemini,
		IncludeUsage: true, // Gemini reports usage to everybody
		Spelling:     map[string]string{"messages": "contents"},
	}}
	r.request()
	if r.failure != nil {
		return nil, r.failure
	}
	r.req.Normalize()
	return r.req, nil
}

func (r *reader) request() {
	req := r.req
	r.members(r.Root, nil, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "model": // in some clients' bodies, besides the path
		case "systemInstruction":
			r.system(v, at)
		case "contents":
			r.spelled("messages", at)
			r.each(v, at, func(at *path, v jsonscan.Value) { r.content(v, at) })
		case "tools":
			r.each(v, at, func(at *path, v jsonscan.Value) { r.tool(v, at) })
		case "toolConfig":
			r.toolConfig(v, at)
		case "generationConfig":
			r.config(v, at)
		case "cachedContent", "continuationToken":
			req.State = append(req.State, wire.Extra{Name: at.String(), Raw: r.Raw(v)})
		case "labels":
			r.spelled("metadata", at)
			if v.Kind != jsonscan.ObjectKind {
				r.fail(at, "must be an object")
			}
			req.Metadata = r.Raw(v)
		case "serviceTier":
			r.spelled("service_tier", at)
			req.ServiceTier = tierIn(r.text(v, at))
		case "store":
			r.spelled("store", at)
			req.Store = wire.TriOf(r.flag(v, at))
		default:
			r.extra(at, v)
		}
	})
	r.link()
	r.validated()
}

// system reads the instructions; their role means nothing.
func (r *reader) system(v jsonscan.Value, at *path) {
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "role":
		case "parts":
			r.each(v, at, func(at *path, v jsonscan.Value) {
				blocks := r.part(nil, v, at)
				for i := range blocks {
					if blocks[i].Type != wire.TextBlock {
						r.fail(at, "must be a text")
						return
					}
					r.req.System = append(r.req.System, wire.Block{Text: blocks[i].Text})
				}
			})
		default:
			r.extra(at, v)
		}
	})
}

// AllowsTool reports whether the vendor takes a tool of that name. It knows more
// signs than others, but not all of them to begin with. Newer models take more
// than 64, but not all do.
func (Codec) AllowsTool(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == '.' || c == ':' || c == '-'):
		default:
			return false
		}
	}
	return len(name) <= 64
}

// DecodeResponse reads a GenerateContentResponse, or the array of them that a
// stream without alt=sse is.
func (Codec) DecodeResponse(body []byte) (*wire.Response, error) {
	doc, err := wire.ParseDoc(body)
	if err != nil {
		return nil, fmt.Errorf("reading answer: %w: %w", wire.ErrMalformed, err)
	}
	return decodeResponse(doc)
}

// EncodeRequest appends a body for generateContent.
func (c Codec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	e := newEncoder(dst, req, loss, c.Vertex)
	if err := e.request(); err != nil {
		return nil, err
	}
	return e.w.B, nil
}

// EncodeResponse appends a GenerateContentResponse.
func (Codec) EncodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	return encodeResponse(dst, res, reply)
}

// StreamDecoder returns a decoder for one stream of GenerateContentResponses.
func (Codec) StreamDecoder() wire.StreamDecoder { return &streamDecoder{} }

// StreamEncoder returns an encoder for one such stream.
func (Codec) StreamEncoder(reply *wire.Reply) wire.StreamEncoder {
	return &streamEncoder{reply: reply}
}
