package bedrock

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// Codec is the two-way door of Converse and ConverseStream.
type Codec struct{}

// where names this dialect in messages to clients.
const where = "Amazon Bedrock"

// maker is who made a model; what a body may hold depends on it.
type maker uint8

const (
	makerUnknown maker = iota // such as an application inference profile
	makerClaude
	makerNova
	makerOpenAI
	makerOther
)

// makerOf reads the vendor in a model id, an inference profile or an ARN.
func makerOf(model string) maker {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	bare := wire.BareModel(name)
	switch {
	case strings.HasPrefix(bare, "claude"):
		return makerClaude
	case strings.HasPrefix(bare, "nova"):
		return makerNova
	case strings.HasPrefix(bare, "gpt-"):
		return makerOpenAI
	case strings.Contains(name, "."):
		return makerOther
	default:
		return makerUnknown
	}
}

// AllowsTool reports whether the vendor takes a tool of that name.
func (Codec) AllowsTool(name string) bool { return wire.PlainToolName(name, 64) }

// finishOf reads a stop reason; hasCalls and hasContent say what was answered.
func finishOf(native string, hasCalls, hasContent bool) wire.Finish {
	switch native {
	case "end_turn":
	case "tool_use":
		return wire.FinishTools
	case "max_tokens":
		return wire.FinishLength
	case "stop_sequence":
		return wire.FinishString
	case "model_context_window_exceeded":
		return wire.FinishWindow
	case "guardrail_intervened", "content_filtered", "refusal":
		return wire.FinishPolicy
	case "malformed_model_output", "malformed_tool_use":
		return wire.FinishBroken
	case "pause_turn":
		return wire.FinishPause
	default:
		if !hasContent {
			return wire.FinishBroken
		}
	}
	if hasCalls {
		return wire.FinishTools // some models stop with end_turn after a call
	}
	return wire.FinishStop
}

// stopReason is the vendor's word for a finish; native is kept when it is one.
func stopReason(f wire.Finish, native string) string {
	switch native {
	case "end_turn", "tool_use", "max_tokens", "stop_sequence", "model_context_window_exceeded",
		"guardrail_intervened", "content_filtered", "malformed_model_output", "malformed_tool_use":
		if finishOf(native, f == wire.FinishTools, true) == f {
			return native
		}
	}
	switch f {
	case wire.FinishTools:
		return "tool_use"
	case wire.FinishLength:
		return "max_tokens"
	case wire.FinishString:
		return "stop_sequence"
	case wire.FinishWindow:
		return "model_context_window_exceeded"
	case wire.FinishPolicy:
		return "content_filtered"
	case wire.FinishBroken:
		return "malformed_model_output"
	default:
		return "end_turn"
	}
}

// Interface guards.
var (
	_ wire.Codec         = Codec{}
	_ wire.EmbedCodec    = EmbedCodec{}
	_ wire.StreamDecoder = (*streamDecoder)(nil)
	_ wire.StreamEncoder = (*streamEncoder)(nil)
)
