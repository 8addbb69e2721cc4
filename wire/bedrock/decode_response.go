package bedrock

import (
	"fmt"
	"slices"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeResponse reads an answer of Converse. The vendor names neither an id
// nor the model.
func (Codec) DecodeResponse(body []byte) (*wire.Response, error) {
	doc, err := wire.ParseDoc(body)
	if err != nil || doc.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	r := &reader{Doc: doc, req: &wire.Request{}}
	content := r.Get(r.Root, "output", "message", "content")
	if !r.Get(r.Root, "output").Exists() && !r.Get(r.Root, "stopReason").Exists() {
		return nil, fmt.Errorf("reading answer: %w: no output", wire.ErrMalformed)
	}
	res := &wire.Response{ServiceTier: r.StrAt(r.Root, "serviceTier", "type")}
	choice := wire.Choice{Native: r.StrAt(r.Root, "stopReason")}
	for b := range r.Elements(content) {
		choice.Blocks = r.block("content", b, choice.Blocks)
	}
	if r.failure != nil {
		return nil, fmt.Errorf("reading answer: %w: %s", wire.ErrMalformed, r.failure.Message)
	}
	calls := slices.ContainsFunc(choice.Blocks, func(b wire.Block) bool { return b.Type == wire.CallBlock })
	choice.Finish = finishOf(choice.Native, calls, len(choice.Blocks) > 0)
	choice.StopString = r.StrAt(r.Root, "additionalModelResponseFields", "stop_sequence")
	choice.Explanation = guardrailReason(doc)
	res.Choices = []wire.Choice{choice}
	res.Usage = readReport(body, r.Get(r.Root, "usage")).Checked()
	res.Usage.ServiceTier = res.ServiceTier
	return res, nil
}

// guardrailReason is what a guardrail says of its intervention.
func guardrailReason(d *wire.Doc) string {
	return d.StrAt(d.Root, "trace", "guardrail", "actionReason")
}
