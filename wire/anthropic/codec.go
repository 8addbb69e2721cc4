package anthropic

import "github.com/weirproxy/weir/wire"

// Codec is the two-way door of POST /v1/messages.
type Codec struct{}

// AllowsTool reports whether the vendor takes a tool of that name.
func (Codec) AllowsTool(name string) bool { return wire.PlainToolName(name, 128) }

// StreamDecoder returns a decoder for one stream.
func (Codec) StreamDecoder() wire.StreamDecoder { return &streamDecoder{} }

// StreamEncoder returns an encoder for one stream.
func (Codec) StreamEncoder(reply *wire.Reply) wire.StreamEncoder {
	return &streamEncoder{reply: reply}
}

// finishOf reads a stop_reason. Words of tomorrow are a stop, because clients
// must be told something that they know.
func finishOf(reason string) wire.Finish {
	switch reason {
	case "":
		return wire.FinishNone
	case "stop_sequence":
		return wire.FinishString
	case "max_tokens":
		return wire.FinishLength
	case "model_context_window_exceeded":
		return wire.FinishWindow
	case "tool_use":
		return wire.FinishTools
	case "refusal":
		return wire.FinishPolicy
	case "pause_turn", "compaction":
		return wire.FinishPause
	default:
		return wire.FinishStop
	}
}

// KnownFinish reports whether reason is a stop_reason whose meaning is known.
func KnownFinish(reason string) bool {
	return reason == "end_turn" || reason != "" && finishOf(reason) != wire.FinishStop
}

// stopReason is the stop_reason for a finish. calls and refused say what the
// answer held: a call is a reason of its own, and so are a model's words of
// refusal, which OpenAI ends with `stop`.
func stopReason(finish wire.Finish, calls, refused bool) string {
	switch finish {
	case wire.FinishString:
		return "stop_sequence"
	case wire.FinishLength:
		return "max_tokens"
	case wire.FinishWindow:
		return "model_context_window_exceeded"
	case wire.FinishTools:
		return "tool_use"
	case wire.FinishPolicy:
		return "refusal"
	case wire.FinishPause:
		return "pause_turn"
	}
	switch {
	case refused:
		return "refusal"
	case calls && finish != wire.FinishBroken:
		return "tool_use"
	default:
		return "end_turn"
	}
}

var _ wire.Codec = Codec{} // interface guard
