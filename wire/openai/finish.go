package openai

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// finishes are the words of OpenAI and of the servers that are compatible
// with it, in lower case. Those of other vendors come as native_finish_reason.
var finishes = map[string]wire.Finish{
	"stop": wire.FinishStop, "eos": wire.FinishStop, "end_turn": wire.FinishStop, "completed": wire.FinishStop,
	"stop_sequence": wire.FinishString,
	"length":        wire.FinishLength, "max_tokens": wire.FinishLength, "max_output_tokens": wire.FinishLength,
	"model_length": wire.FinishWindow, "model_context_window_exceeded": wire.FinishWindow,
	"tool_calls": wire.FinishTools, "function_call": wire.FinishTools, "tool_use": wire.FinishTools,
	"content_filter": wire.FinishPolicy, "refusal": wire.FinishPolicy, "safety": wire.FinishPolicy,
	"pause_turn": wire.FinishPause,
	"error":      wire.FinishBroken, "abort": wire.FinishBroken, "insufficient_system_resource": wire.FinishBroken,
	"malformed_function_call": wire.FinishBroken, "malformed_tool_use": wire.FinishBroken,
}

// finishOf reads finish_reason with what the vendor behind a gateway called
// it: the five words of OpenAI hide some differences. An unknown word is a
// stop.
func finishOf(word, native string) (finish wire.Finish, kept string) {
	finish, ok := finishes[strings.ToLower(word)]
	if !ok {
		finish = wire.FinishStop
	}
	if native == "" {
		return finish, word
	}
	switch exact := finishes[strings.ToLower(native)]; exact {
	case wire.FinishString, wire.FinishWindow, wire.FinishPause, wire.FinishBroken, wire.FinishPolicy:
		finish = exact
	}
	return finish, native
}

// KnownFinish reports whether word is a finish_reason whose meaning is known.
func KnownFinish(word string) bool {
	_, ok := finishes[strings.ToLower(word)]
	return ok
}

// settle corrects a finish by what the answer holds: calls win over a plain
// stop, and a refusal is no plain stop.
func settle(finish wire.Finish, calls, refused bool) wire.Finish {
	switch {
	case finish == wire.FinishStop && calls:
		return wire.FinishTools
	case finish == wire.FinishStop && refused:
		return wire.FinishPolicy
	}
	return finish
}

// wordOf is one of OpenAI's five values: exhaustive clients break on others.
// A model's own refusal is a stop there, only a filter's is content_filter.
func wordOf(finish wire.Finish, refused, legacy bool) string {
	switch finish {
	case wire.FinishLength, wire.FinishWindow:
		return "length"
	case wire.FinishTools:
		if legacy {
			return "function_call"
		}
		return "tool_calls"
	case wire.FinishPolicy:
		if refused {
			return "stop"
		}
		return "content_filter"
	}
	return "stop"
}

// legacyCalls reports whether the client asked with functions, the form
// before tools, and is to be answered in it.
func legacyCalls(reply *wire.Reply) bool {
	return reply.Request != nil && reply.Request.Spelling["tools"] == "functions"
}

// callID makes up the id of call n of an answer. OpenAI refuses ids of more
// than 40 bytes when they come back.
func callID(reply *wire.Reply, n int) string {
	tail := "_" + itoa(n)
	id := reply.ID
	if most := maxCallID - len("call_") - len(tail); len(id) > most {
		id = id[len(id)-most:]
	}
	return "call_" + id + tail
}

// maxCallID is OpenAI's limit of tool_call_id in bytes.
const maxCallID = 40
