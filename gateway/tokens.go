package gateway

import "github.com/weirproxy/weir/wire"

// Tokens counts. Implementations are safe for concurrent use.
type Tokens interface {
	// Prompt is the number of tokens of the request in env, for model.
	Prompt(model string, op *wire.Operation, env *wire.Envelope) int

	// Bound reports the prompt's tokens as exactly as limit demands: exact
	// says that the number is the vendor's own, else it is an estimate. A
	// prompt that cannot reach limit is not counted; its upper bound comes
	// back.
	Bound(model string, op *wire.Operation, env *wire.Envelope, limit int) (tokens int, exact bool)

	// Output counts generated text for model as it arrives.
	Output(model string) OutputCounter
}

// OutputCounter counts a growing text.
type OutputCounter interface {
	Add(text []byte)
	Count() int

	// Exact says that the count is the vendor's own, else it is an estimate.
	Exact() bool
}
