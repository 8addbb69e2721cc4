package cohere

import (
	"fmt"
	"slices"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeResponse reads an answer of v2/chat. The vendor does not name the model.
func (Codec) DecodeResponse(body []byte) (*wire.Response, error) {
	doc, err := wire.ParseDoc(body)
	if err != nil || doc.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	r := &reader{Doc: doc, req: &wire.Request{}}
	message := r.Get(r.Root, "message")
	if message.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading answer: %w: no message", wire.ErrMalformed)
	}
	choice := wire.Choice{Native: r.StrAt(r.Root, "finish_reason"), Blocks: r.assistant("message", message, r.Get(message, "content"))}
	if r.failure != nil {
		return nil, fmt.Errorf("reading answer: %w: %s", wire.ErrMalformed, r.failure.Message)
	}
	calls := slices.ContainsFunc(choice.Blocks, func(b wire.Block) bool { return b.Type == wire.CallBlock })
	choice.Finish = finishOf(choice.Native, calls, len(choice.Blocks) > 0)
	res := &wire.Response{ID: r.StrAt(r.Root, "id"), Choices: []wire.Choice{choice}}
	res.Usage = readReport(body, r.Get(r.Root, "usage")).Checked()
	res.Failure = readFinishError(body, r.Root, choice.Native)
	return res, nil
}
