package form

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// embeds reports whether op makes embeddings.
func embeds(op *wire.Operation) bool {
	return op == wire.Embeddings || op == wire.GeminiEmbed || op == wire.GeminiBatchEmbed
}

// convertEmbeddings returns vectors in the client's dialect and encoding.
func convertEmbeddings(a *cache.Answer, want Want) (cache.Form, error) {
	f, op := a.Form, want.Operation
	if !embeds(f.Operation) || !embeds(op) || want.Stream || f.Stream {
		return cache.Form{}, loses("embeddings have no other form")
	}
	base64, err := wantsBase64(want)
	if err != nil {
		return cache.Form{}, err
	}
	if f.Operation == op && (op != wire.Embeddings || base64 == isBase64(f.Body)) {
		return f, nil
	}
	res, err := doors.Embedder(f.Operation).DecodeEmbedResponse(f.Body)
	if err != nil {
		return cache.Form{}, fmt.Errorf("reading kept answer: %w", err)
	}
	if err := vectors(res); err != nil {
		return cache.Form{}, err
	}
	if op == wire.GeminiEmbed && len(res.Vectors) != 1 {
		return cache.Form{}, loses("more than one vector")
	}
	if res.Model == "" {
		res.Model = a.Model
	}
	if res.Input == 0 {
		res.Input = a.Usage.Input
	}
	body := doors.Embedder(op).EncodeEmbedResponse(make([]byte, 0, len(f.Body)), res, &wire.EmbedRequest{Model: a.Model, Base64: base64})
	return cache.Form{Operation: op, Body: body}, nil
}

// vectors checks that an answer has vectors, and all of one size.
func vectors(res *wire.EmbedResponse) error {
	if len(res.Vectors) == 0 {
		return loses("it is empty")
	}
	for _, v := range res.Vectors {
		if len(v) == 0 || len(v) != len(res.Vectors[0]) {
			return loses("its vectors differ in size")
		}
	}
	return nil
}

var formatName = []byte("encoding_format")

// wantsBase64 reports whether the client asked for vectors in base64.
func wantsBase64(want Want) (bool, error) {
	if want.Operation != wire.Embeddings {
		return false, nil
	}
	if !bytes.Contains(want.Body, formatName) && bytes.IndexByte(want.Body, '\\') < 0 {
		return false, nil
	}
	root, err := jsonscan.ParseLimits(want.Body, jsonscan.DefaultLimits)
	if err != nil {
		return false, fmt.Errorf("reading request for kept answer: %w", err)
	}
	return jsonscan.Lookup(want.Body, root, "encoding_format").Is(want.Body, "base64"), nil
}

var embeddingName = []byte(`"embedding"`)

// isBase64 reports whether the vectors of a kept answer are in base64. The name
// of the member is a value too, of `object`.
func isBase64(body []byte) bool {
	for rest := body; ; {
		i := bytes.Index(rest, embeddingName)
		if i < 0 {
			return false
		}
		rest = bytes.TrimLeft(rest[i+len(embeddingName):], " \t\r\n")
		if len(rest) > 0 && rest[0] == ':' {
			rest = bytes.TrimLeft(rest[1:], " \t\r\n")
			return len(rest) > 0 && rest[0] == '"'
		}
	}
}
