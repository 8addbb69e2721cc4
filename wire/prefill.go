package wire

import "strings"

// Prefill is how an upstream is told to go on with the last message, which is
// the assistant's, instead of answering it.
type Prefill uint8

// The ways.
const (
	// PrefillNone: it cannot be told.
	PrefillNone Prefill = iota

	// PrefillPlain: it goes on with such a message by itself, as Claude before
	// 4.6 does.
	PrefillPlain

	// PrefillMark: the message has `"prefix": true` (Mistral, DeepSeek's beta).
	PrefillMark

	// PrefillTemplate: the request has `"continue_final_message": true` and
	// `"add_generation_prompt": false` (vLLM).
	PrefillTemplate
)

// PrefillOf is the way for a model; chat is that of its upstream's Chat
// Completions, where the server decides.
func PrefillOf(op *Operation, model string, chat Prefill) Prefill {
	switch op {
	case Chat:
		return chat
	case Messages, Converse:
		if strings.HasPrefix(strings.ToLower(BareModel(model)), "claude") && !AbilityOf(model).NoPrefill {
			return PrefillPlain
		}
	}
	return PrefillNone
}
