package anthropic

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeResponse reads a message, or an error that came in its place.
func (Codec) DecodeResponse(body []byte) (*wire.Response, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	kind := d.StrAt(d.Root, "type")
	content := d.Get(d.Root, "content")
	if kind == "error" || content.Kind != jsonscan.Array && d.Get(d.Root, "error").Exists() {
		return &wire.Response{Failure: failureOf(d)}, nil
	}
	if content.Kind != jsonscan.Array {
		return nil, fmt.Errorf("reading content of answer: %w", wire.ErrMalformed)
	}
	choice := wire.Choice{
		Native:      d.StrAt(d.Root, "stop_reason"),
		StopString:  d.StrAt(d.Root, "stop_sequence"),
		Explanation: d.StrAt(d.Root, "stop_details", "explanation"),
	}
	for v := range d.Elements(content) {
		if b, ok := answerBlock(d, v); ok {
			choice.Blocks = append(choice.Blocks, b)
		}
	}
	if choice.Finish = finishOf(choice.Native); choice.Finish == wire.FinishNone {
		choice.Finish = wire.FinishStop
	}
	var usage report
	usage.read(d, d.Get(d.Root, "usage"))
	return &wire.Response{
		ID:          d.StrAt(d.Root, "id"),
		Model:       d.StrAt(d.Root, "model"),
		Choices:     []wire.Choice{choice},
		Usage:       usage.Report,
		ServiceTier: usage.ServiceTier,
	}, nil
}

// answerBlock reads a block of an answer; ok is false for one that says nothing.
func answerBlock(d *wire.Doc, v jsonscan.Value) (b wire.Block, ok bool) {
	if v.Kind != jsonscan.ObjectKind {
		return b, false
	}
	switch kind := d.Get(v, "type"); {
	case kind.Is(d.Data, "text"):
		b.Text = d.StrAt(v, "text")
		b.Citations = citationsOf(d, d.Get(v, "citations"))
		return b, b.Text != "" || b.Citations != nil
	case kind.Is(d.Data, "thinking"):
		b = wire.Block{Type: wire.ThinkingBlock, Text: d.StrAt(v, "thinking"), Signature: d.StrAt(v, "signature")}
	case kind.Is(d.Data, "redacted_thinking"):
		b = wire.Block{Type: wire.RedactedBlock, Signature: d.StrAt(v, "data")}
	case kind.Is(d.Data, "tool_use"):
		return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: d.StrAt(v, "id"), Name: d.StrAt(v, "name"), Arguments: argumentsOf(d, v)}}, true
	default:
		return rawBlock(d.Raw(v)), true
	}
	if b.Signature != "" {
		b.Vendor = wire.VendorAnthropic
	}
	return b, true
}

// argumentsOf is the input of a call; some servers give it as a string.
func argumentsOf(d *wire.Doc, v jsonscan.Value) string {
	input := d.Get(v, "input")
	if input.Kind == jsonscan.String {
		return d.Str(input)
	}
	return d.Raw(input)
}
