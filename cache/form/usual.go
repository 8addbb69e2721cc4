package form

import (
	"bytes"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// usual is Check for what most answers are: one text of chat that came to its own
// end, of which read is what an observer has found. It decodes nothing; ok is false
// for all that is not plainly so, which takes the long way.
func usual(f cache.Form, read *wire.Seen) (facts Facts, ok bool) {
	if f.Operation != wire.Chat || read == nil || read.Failure != nil || read.Finish != "stop" {
		return Facts{}, false
	}
	if f.Stream {
		u := usualStream{}
		return Facts{Finish: wire.FinishStop, Choices: 1}, u.read(f)
	}
	// Who has read a reason has found it valid.
	start, end := bytes.IndexByte(f.Body, '{'), bytes.LastIndexByte(f.Body, '}')+1
	if start < 0 || end <= start {
		return Facts{}, false
	}
	root := jsonscan.Value{Kind: jsonscan.ObjectKind, Start: start, End: end}
	choices, known := jsonscan.Value{}, true
	for key, v := range jsonscan.Members(f.Body, root) {
		switch string(key.Raw(f.Body)) {
		case `"choices"`:
			known = known && choices.Kind == jsonscan.Invalid
			choices = v
		case `"id"`, `"object"`, `"created"`, `"model"`, `"usage"`, `"system_fingerprint"`, `"service_tier"`:
		default:
			known = known && v.Kind == jsonscan.Null
		}
	}
	n := 0
	for choice := range jsonscan.Elements(f.Body, choices) {
		n++
		known = known && usualChoice(f.Body, choice)
	}
	return Facts{Finish: wire.FinishStop, Choices: 1}, known && n == 1
}

// usualChoice reports whether a choice is a text and its end.
func usualChoice(body []byte, choice jsonscan.Value) bool {
	message, reason, known := jsonscan.Value{}, jsonscan.Value{}, true
	for key, v := range jsonscan.Members(body, choice) {
		switch string(key.Raw(body)) {
		case `"message"`:
			known = known && message.Kind == jsonscan.Invalid
			message = v
		case `"finish_reason"`:
			known = known && reason.Kind == jsonscan.Invalid
			reason = v
		case `"index"`:
		default:
			known = known && v.Kind == jsonscan.Null
		}
	}
	return known && string(reason.Raw(body)) == `"stop"` && usualMessage(body, message)
}

// usualMessage reports whether a message is a text that says something.
func usualMessage(body []byte, message jsonscan.Value) bool {
	content, known := jsonscan.Value{}, true
	for key, v := range jsonscan.Members(body, message) {
		switch string(key.Raw(body)) {
		case `"content"`:
			known = known && content.Kind == jsonscan.Invalid
			content = v
		case `"role"`, `"annotations"`:
		default:
			known = known && v.Kind == jsonscan.Null
		}
	}
	return known && content.Kind == jsonscan.String && content.End-content.Start > len(`""`)
}
