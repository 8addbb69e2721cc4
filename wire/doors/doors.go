// Package doors finds the door of an operation.
package doors

import (
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
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
