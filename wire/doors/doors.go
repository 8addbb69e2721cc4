// Package doors finds the door of an operation.
package doors

import (
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/responses"
)

// Of returns the door of an operation's dialect.
func Of(op *wire.Operation) wire.Door {
	switch op {
	case wire.Messages, wire.CountTokens:
		return anthropic.Door{}
	case wire.Responses, wire.ResponsesTokens, wire.ResponsesFold:
		return responses.Door{}
	default:
		return openai.Door{Op: op}
	}
}

// WalkPrompt shows the parts of the prompt in body, a scanned request of op,
// to sink.
func WalkPrompt(op *wire.Operation, body []byte, sink wire.PromptSink) {
	switch op {
	case wire.Messages, wire.CountTokens:
		anthropic.WalkPrompt(body, sink)
	case wire.Responses, wire.ResponsesTokens, wire.ResponsesFold:
		responses.WalkPrompt(body, sink)
	case wire.GeminiCount:
		gemini.WalkPrompt(body, sink)
	default:
		openai.WalkPrompt(body, sink)
	}
}
