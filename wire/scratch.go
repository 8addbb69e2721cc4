package wire

import "github.com/weirproxy/weir/internal/jsonscan"

// Scratch unescapes strings into a buffer that it keeps, so that an observer
// allocates once per answer and not once per event.
type Scratch struct {
	buf []byte
}

// Bytes returns the text of the string v in data, valid until the next call.
func (s *Scratch) Bytes(data []byte, v jsonscan.Value) []byte {
	if v.Kind != jsonscan.String {
		return nil
	}
	raw := data[v.Start+1 : v.End-1]
	text, _ := v.Text(data, s.buf[:0])
	if len(text) > 0 && &text[0] != &raw[0] {
		s.buf = text[:0]
	}
	return text
}

// String is Bytes as a string that may be kept.
func (s *Scratch) String(data []byte, v jsonscan.Value) string { return kept(s.Bytes(data, v)) }

// kept is b as a string of its own, without an allocation where it is one of the
// words that the vendors' JSON is full of.
func kept(b []byte) string {
	switch string(b) {
	case "user":
		return "user"
	case "assistant":
		return "assistant"
	case "system":
		return "system"
	case "developer":
		return "developer"
	case "tool":
		return "tool"
	case "model":
		return "model"
	case "text":
		return "text"
	case "input_text":
		return "input_text"
	case "output_text":
		return "output_text"
	case "thinking":
		return "thinking"
	case "image":
		return "image"
	case "image_url":
		return "image_url"
	case "function":
		return "function"
	case "function_call":
		return "function_call"
	case "function_call_output":
		return "function_call_output"
	case "tool_use":
		return "tool_use"
	case "tool_result":
		return "tool_result"
	case "message":
		return "message"
	case "auto":
		return "auto"
	case "default":
		return "default"
	case "standard":
		return "standard"
	case "stop":
		return "stop"
	case "length":
		return "length"
	case "tool_calls":
		return "tool_calls"
	case "end_turn":
		return "end_turn"
	case "max_tokens":
		return "max_tokens"
	case "completed":
		return "completed"
	case "STOP":
		return "STOP"
	case "MAX_TOKENS":
		return "MAX_TOKENS"
	default:
		return string(b)
	}
}
