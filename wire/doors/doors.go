// Package doors finds the door of an operation.
package doors

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/bedrock"
	"github.com/weirproxy/weir/wire/cohere"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/responses"
)

// Of returns the door of an operation's dialect.
func Of(op *wire.Operation) wire.Door {
	switch op.Dialect {
	case wire.Anthropic:
		return anthropic.Door{}
	case wire.Gemini:
		return gemini.Door{Op: op}
	case wire.Bedrock:
		return bedrock.Door{}
	case wire.Cohere:
		return cohere.Door{}
	}
	switch op {
	case wire.Responses, wire.ResponsesTokens, wire.ResponsesFold:
		return responses.Door{}
	default:
		return openai.Door{Op: op}
	}
}

// Ending returns what can end a stream of an operation early, nil for
// operations whose streams have no cap on tokens.
func Ending(op *wire.Operation) wire.Ending {
	switch op {
	case wire.Chat, wire.Completions:
		return openai.NewEnding(op)
	case wire.Responses:
		return responses.NewEnding()
	case wire.Messages:
		return &anthropic.Ending{}
	case wire.GeminiGenerate:
		return &gemini.Ending{}
	default:
		return nil
	}
}

// KnownFinish reports whether word is one by which an answer of a client's
// operation says why it ended, and whose meaning is known.
func KnownFinish(op *wire.Operation, word string) bool {
	switch op {
	case wire.Chat, wire.Completions:
		return openai.KnownFinish(word)
	case wire.Responses:
		return responses.KnownFinish(word)
	case wire.Messages:
		return anthropic.KnownFinish(word)
	case wire.GeminiGenerate:
		return gemini.KnownFinish(word)
	default:
		return false
	}
}

// Options are what a codec must know of an upstream that speaks a dialect in
// its own way; see gateway.Traits.
type Options struct {
	CapParam        string
	NoStreamOptions bool
	Reasoning       bool
	Details         bool
	SeedParam       string
	ShortCallIDs    bool
	Labels          bool
	Prefill         wire.Prefill
}

// Codec returns the codec of a client's operation, nil for operations that
// are no conversation.
func Codec(op *wire.Operation) wire.Codec {
	switch op {
	case wire.Chat:
		return openai.Codec{}
	case wire.Completions:
		return openai.CompletionsCodec{}
	case wire.Responses:
		return responses.Codec{}
	case wire.Messages:
		return anthropic.Codec{}
	case wire.GeminiGenerate:
		return gemini.Codec{}
	case wire.Converse:
		return bedrock.Codec{}
	case wire.CohereChat:
		return cohere.Codec{}
	default:
		return nil
	}
}

// Upstream returns the codec of an upstream's operation, nil for operations
// that are no conversation.
func Upstream(op *wire.Operation, o Options) wire.Codec {
	switch op {
	case wire.Chat:
		return openai.Codec{
			CapParam: o.CapParam, NoStreamOptions: o.NoStreamOptions, Reasoning: o.Reasoning, Details: o.Details, Prefill: o.Prefill,
			SeedParam: o.SeedParam, ShortCallIDs: o.ShortCallIDs,
		}
	case wire.GeminiGenerate:
		return gemini.Codec{Vertex: o.Labels}
	default:
		return Codec(op)
	}
}

// Embedder returns the codec of an operation that makes embeddings.
func Embedder(op *wire.Operation) wire.EmbedCodec {
	switch op {
	case wire.GeminiEmbed, wire.GeminiBatchEmbed:
		return gemini.EmbedCodec{Op: op}
	case wire.CohereEmbed:
		return cohere.EmbedCodec{}
	case wire.InvokeEmbed:
		return bedrock.EmbedCodec{}
	default:
		return openai.EmbedCodec{}
	}
}

// WalkPrompt shows the parts of the prompt in body, a scanned request of op,
// to sink; list is where its messages stand, absent when that is not known.
func WalkPrompt(op *wire.Operation, body []byte, list jsonscan.Value, sink wire.PromptSink) {
	switch op {
	case wire.Messages, wire.CountTokens:
		anthropic.WalkPrompt(body, list, sink)
	case wire.Responses, wire.ResponsesTokens, wire.ResponsesFold:
		responses.WalkPrompt(body, list, sink)
	case wire.GeminiCount, wire.GeminiGenerate, wire.GeminiEmbed, wire.GeminiBatchEmbed:
		gemini.WalkPrompt(body, list, sink)
	default:
		openai.WalkPrompt(body, list, sink)
	}
}
