package gemini

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// finishes are the words of FinishReason, and those of BlockedReason that are
// no FinishReason.
var finishes = map[string]wire.Finish{
	"STOP":                     wire.FinishStop,
	"OTHER":                    wire.FinishStop,
	"NO_IMAGE":                 wire.FinishStop,
	"IMAGE_OTHER":              wire.FinishStop,
	"MAX_TOKENS":               wire.FinishLength,
	"CONTINUATION":             wire.FinishLength,
	"SAFETY":                   wire.FinishPolicy,
	"RECITATION":               wire.FinishPolicy,
	"LANGUAGE":                 wire.FinishPolicy,
	"BLOCKLIST":                wire.FinishPolicy,
	"PROHIBITED_CONTENT":       wire.FinishPolicy,
	"SPII":                     wire.FinishPolicy,
	"IMAGE_SAFETY":             wire.FinishPolicy,
	"IMAGE_PROHIBITED_CONTENT": wire.FinishPolicy,
	"IMAGE_RECITATION":         wire.FinishPolicy,
	"MODEL_ARMOR":              wire.FinishPolicy,
	"JAILBREAK":                wire.FinishPolicy,
	"MALFORMED_FUNCTION_CALL":  wire.FinishBroken,
	"UNEXPECTED_TOOL_CALL":     wire.FinishBroken,
	"TOO_MANY_TOOL_CALLS":      wire.FinishBroken,
	"MALFORMED_RESPONSE":       wire.FinishBroken,
}

// numbered are the words by their number in the protocol buffer, which some
// old client libraries make the server answer with.
var numbered = [...]string{
	"", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST",
	"PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY",
}

// finishReason is the word of a finishReason; empty when it says nothing.
func finishReason(d *wire.Doc, v jsonscan.Value) string {
	switch v.Kind {
	case jsonscan.String:
		if word := d.Str(v); word != "FINISH_REASON_UNSPECIFIED" {
			return word
		}
	case jsonscan.Number:
		switch n := d.Int(v); {
		case n > 0 && n < int64(len(numbered)):
			return numbered[n]
		case n > 0:
			return "OTHER"
		}
	}
	return ""
}

// finishOf is the canonical reason. Gemini says STOP also when it calls tools.
func finishOf(word string, calls bool) wire.Finish {
	f, ok := finishes[word]
	if !ok {
		f = wire.FinishStop
	}
	if f == wire.FinishStop && calls {
		return wire.FinishTools
	}
	return f
}

// KnownFinish reports whether word is a finishReason, or a blockReason, whose
// meaning is known.
func KnownFinish(word string) bool {
	_, ok := finishes[word]
	return ok
}

// finishWord is Gemini's word for a reason: the vendor's own if it was Gemini.
func finishWord(f wire.Finish, native string) string {
	if own, ok := finishes[native]; ok && (own == f || own == wire.FinishStop && f == wire.FinishTools) {
		return native
	}
	switch f {
	case wire.FinishNone:
		return ""
	case wire.FinishLength, wire.FinishWindow:
		return "MAX_TOKENS"
	case wire.FinishPolicy:
		return "SAFETY"
	case wire.FinishBroken:
		return "MALFORMED_FUNCTION_CALL"
	default:
		return "STOP"
	}
}

// blockReason is the promptFeedback for an answer that policy left without any
// content; ok is false for the reasons that only a candidate has.
func blockReason(native string) (word string, ok bool) {
	switch native {
	case "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK":
		return native, true
	}
	if _, own := finishes[native]; own {
		return "", false
	}
	return "SAFETY", true
}
