package wire

import (
	"bytes"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// applyEmbed names the upstream's model where a request to Gemini for embeddings
// names one: its path says it already, and a request of a list that says another is
// refused.
func (e *Envelope) applyEmbed(dst [][]byte, model string) [][]byte {
	if !strings.HasPrefix(model, "models/") && !strings.HasPrefix(model, "tunedModels/") {
		model = "models/" + model
	}
	name := jsonscan.AppendString(nil, model)
	var edits []jsonscan.Edit
	one := func(request jsonscan.Value) {
		for key, value := range jsonscan.Members(e.body, request) {
			if key.Is(e.body, "model") && !bytes.Equal(value.Raw(e.body), name) {
				edits = append(edits, jsonscan.Edit{Start: value.Start, End: value.End, Text: name})
			}
		}
	}
	if e.Operation == GeminiEmbed {
		one(jsonscan.Value{Kind: jsonscan.ObjectKind, Start: e.fields.Start, End: e.fields.End})
	} else {
		for request := range jsonscan.Elements(e.body, e.fields.Get(fieldRequests)) {
			one(request)
		}
	}
	return jsonscan.Pieces(dst, e.body, edits)
}
