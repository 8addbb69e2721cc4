package cohere

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// readReport reads a usage object. tokens is what the model read and wrote,
// billed_units leaves out the vendor's own part of the prompt and stands in
// where there is nothing else.
func readReport(data []byte, v jsonscan.Value) (r wire.Report) {
	for _, name := range []string{"billed_units", "tokens"} {
		units := jsonscan.Lookup(data, v, name)
		if n, ok := wire.Count(data, jsonscan.Lookup(data, units, "input_tokens")); ok {
			r.Input, r.Reported = n, true
		}
		if n, ok := wire.Count(data, jsonscan.Lookup(data, units, "output_tokens")); ok {
			r.Output, r.Reported = n, true
		}
		r.Reasoning = wire.Detail(data, jsonscan.Lookup(data, units, "reasoning_tokens"))
	}
	r.CacheRead = wire.Detail(data, jsonscan.Lookup(data, v, "cached_tokens"))
	return r
}

// finishOf reads a finish reason.
func finishOf(native string, hasCalls, hasContent bool) wire.Finish {
	switch native {
	case "COMPLETE":
	case "STOP_SEQUENCE":
		return wire.FinishString
	case "MAX_TOKENS":
		return wire.FinishLength
	case "ERROR_LIMIT":
		return wire.FinishWindow
	case "ERROR_TOXIC":
		return wire.FinishPolicy
	case "TOOL_CALL":
		return wire.FinishTools
	default:
		if !hasContent {
			return wire.FinishBroken
		}
	}
	if hasCalls {
		return wire.FinishTools
	}
	return wire.FinishStop
}

// finishReason is the vendor's word for a finish; it has few.
func finishReason(f wire.Finish) string {
	switch f {
	case wire.FinishString:
		return "STOP_SEQUENCE"
	case wire.FinishLength, wire.FinishWindow:
		return "MAX_TOKENS"
	case wire.FinishTools:
		return "TOOL_CALL"
	case wire.FinishPolicy:
		return "ERROR_TOXIC"
	default:
		return "COMPLETE"
	}
}

// readFinishError is the error that a finish reason tells; nil when it is none.
// v may have its message.
func readFinishError(data []byte, v jsonscan.Value, finish string) *wire.Failure {
	kind := wire.KindUpstream
	switch finish {
	case "ERROR":
	case "TIMEOUT":
		kind = wire.KindTimeout
	default:
		return nil
	}
	message, _ := jsonscan.Lookup(data, v, "error").Text(data, nil)
	f := &wire.Failure{Kind: kind, Message: string(message)}
	if f.Message == "" {
		f.Message = "the upstream ended its answer with an error (" + finish + ")"
	}
	f.Kind = wire.Classify(f.Kind, "", f.Message)
	return f
}
