package openai

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// observer watches one answer.
type observer struct {
	scratch wire.Scratch

	// usual is a chunk that brought text and nothing else that counts; texts are
	// the pieces of the one at hand, and text the last of them.
	usual wire.Pattern
	texts int
	text  jsonscan.Value
}

// add notes a piece of generated text.
func (o *observer) add(data []byte, v jsonscan.Value, seen *wire.Seen) {
	o.texts++
	o.text = v
	seen.AddText(o.scratch.Bytes(data, v))
}

// isUsual recognises a chunk that repeats the one before with another piece of
// text.
func (o *observer) isUsual(data []byte, seen *wire.Seen) bool {
	holes, ok := o.usual.Match(data)
	if ok = ok && holes[0].End-holes[0].Start > 2; ok {
		seen.AddText(o.scratch.Bytes(data, holes[0]))
	}
	return ok
}

// Event reads a chunk. Chunks of unknown shape pass as content: a new vendor
// event must not be held back.
func (o *observer) Event(ev *sse.Event, seen *wire.Seen) (wire.Class, error) {
	if !ev.HasData {
		return 0, nil
	}
	if IsDone(ev.Data) {
		return wire.Terminal, nil
	}
	if string(ev.Name) != "error" && o.isUsual(ev.Data, seen) {
		return wire.Content, nil
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil {
		return 0, fmt.Errorf("reading stream event: %w: %w", wire.ErrMalformed, err)
	}
	o.texts = 0
	if root.Kind != jsonscan.ObjectKind {
		return 0, fmt.Errorf("reading stream event: %w: not an object", wire.ErrMalformed)
	}
	var (
		class   wire.Class
		choices bool
		usage   bool
		groq    bool
		known   bool
		flawed  wire.Class
	)
	for key, v := range jsonscan.Members(ev.Data, root) {
		switch string(quoted(ev.Data, key)) {
		case `"id"`:
			if seen.ID == "" && v.Kind == jsonscan.String && v.End-v.Start > 2 {
				seen.ID = o.scratch.String(ev.Data, v)
			}
		case `"model"`:
			if seen.Model == "" && v.Kind == jsonscan.String {
				seen.Model = o.scratch.String(ev.Data, v)
			}
		case `"created"`:
			if seen.Created == "" && v.Kind == jsonscan.Number {
				seen.Created = string(v.Raw(ev.Data))
			}
		case `"choices"`:
			known = true
			for choice := range jsonscan.Elements(ev.Data, v) {
				choices = true
				class |= o.choice(ev.Data, choice, seen)
			}
		case `"usage"`:
			known = true
			if v.Kind == jsonscan.ObjectKind {
				usage = true
				readUsage(ev.Data, v, seen)
			}
		case `"service_tier"`:
			seen.Details.ServiceTier = wire.TierOf(v.Raw(ev.Data))
		case `"x_groq"`:
			if u := jsonscan.Lookup(ev.Data, v, "usage"); u.Kind == jsonscan.ObjectKind {
				groq = true
				readUsage(ev.Data, u, seen)
			}
		case `"error"`:
			if v.Kind == jsonscan.Null { // how some servers say that all is well
				flawed = wire.Flawed
				continue
			}
			known = true
			class |= wire.Failed
			seen.Failure = readError(ev.Data, v)
		case `"type"`:
			// Images and audio stream typed events; their last one is the end.
			known = true
			class |= typed(v.Raw(ev.Data))
		case `"delta"`:
			if v.Kind == jsonscan.String {
				o.add(ev.Data, v, seen)
			}
		case `"prompt_filter_results"`:
			known = true // Azure's first chunk: choices are empty
		}
	}
	if !known {
		class |= wire.Content
	}
	if usage && !choices && class == 0 {
		class |= wire.UsageOnly
	}
	if string(ev.Name) == "error" {
		class |= wire.Failed
		if seen.Failure == nil {
			seen.Failure = readError(ev.Data, root)
		}
	}
	if class == wire.Content && flawed == 0 && o.texts == 1 && !usage && !groq {
		o.learn(ev.Data, root)
	}
	return class | flawed, nil
}

// learn keeps a chunk for isUsual. The padding with which OpenAI hides the length
// of what it says differs as the text does.
func (o *observer) learn(data []byte, root jsonscan.Value) {
	o.usual.Learn(data, o.text, wire.StringIn(data, root, "obfuscation"))
}

// typed classifies the events of image and audio streams by their type.
func typed(raw []byte) wire.Class {
	switch {
	case bytes.HasSuffix(raw, []byte(`.completed"`)), bytes.HasSuffix(raw, []byte(`.done"`)):
		return wire.Content | wire.Terminal
	default:
		return wire.Content
	}
}

func (o *observer) choice(data []byte, choice jsonscan.Value, seen *wire.Seen) (class wire.Class) {
	for key, v := range jsonscan.Members(data, choice) {
		switch string(quoted(data, key)) {
		case `"delta"`:
			class |= o.message(data, v, seen)
		case `"text"`:
			if v.Kind == jsonscan.String && v.End-v.Start > 2 {
				class |= wire.Content
				o.add(data, v, seen)
			}
		case `"finish_reason"`:
			if v.Kind == jsonscan.String {
				class |= wire.Finishing
				seen.Finish = o.scratch.String(data, v)
			}
		case `"error"`: // OpenRouter's, when its own upstream failed on the way
			if v.Kind == jsonscan.ObjectKind || v.Kind == jsonscan.String {
				class |= wire.Failed
				seen.Failure = readError(data, v)
			}
		}
	}
	return class
}

// message reads a delta or a whole message. What is not one of the members
// that open a message is content.
func (o *observer) message(data []byte, message jsonscan.Value, seen *wire.Seen) (class wire.Class) {
	for key, v := range jsonscan.Members(data, message) {
		switch string(quoted(data, key)) {
		case `"role"`, `"obfuscation"`, `"channel"`:
		case `"content"`, `"refusal"`, `"reasoning_content"`, `"reasoning"`:
			switch v.Kind {
			case jsonscan.String:
				if v.End-v.Start > 2 {
					class |= wire.Content
					o.add(data, v, seen)
				}
			case jsonscan.Array: // Mistral's reasoning models
				class |= o.parts(data, v, seen)
			}
		case `"tool_calls"`:
			for call := range jsonscan.Elements(data, v) {
				class |= wire.Content
				o.function(data, jsonscan.Lookup(data, call, "function"), seen)
			}
		case `"function_call"`:
			if v.Kind == jsonscan.ObjectKind {
				class |= wire.Content
				o.function(data, v, seen)
			}
		default:
			if v.Kind != jsonscan.Null && !isEmpty(v) {
				class |= wire.Content
			}
		}
	}
	return class
}

func (o *observer) function(data []byte, function jsonscan.Value, seen *wire.Seen) {
	for _, member := range []string{"name", "arguments"} {
		if v := jsonscan.Lookup(data, function, member); v.Kind == jsonscan.String {
			o.add(data, v, seen)
		}
	}
}

func (o *observer) parts(data []byte, parts jsonscan.Value, seen *wire.Seen) (class wire.Class) {
	for part := range jsonscan.Elements(data, parts) {
		class |= wire.Content
		if v := jsonscan.Lookup(data, part, "text"); v.Kind == jsonscan.String {
			o.add(data, v, seen)
		}
		for thought := range jsonscan.Elements(data, jsonscan.Lookup(data, part, "thinking")) {
			if v := jsonscan.Lookup(data, thought, "text"); v.Kind == jsonscan.String {
				o.add(data, v, seen)
			}
		}
	}
	return class
}

// Answer reads a whole answer of any operation of this door.
func (o *observer) Answer(body []byte, seen *wire.Seen) error {
	root, err := wire.ParseAnswer(body)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	for key, v := range jsonscan.Members(body, root) {
		switch string(quoted(body, key)) {
		case `"id"`:
			if v.Kind == jsonscan.String {
				seen.ID = o.scratch.String(body, v)
			}
		case `"model"`:
			if v.Kind == jsonscan.String {
				seen.Model = o.scratch.String(body, v)
			}
		case `"choices"`:
			for choice := range jsonscan.Elements(body, v) {
				if m := jsonscan.Lookup(body, choice, "message"); m.Exists() {
					o.message(body, m, seen)
				}
				o.choice(body, choice, seen)
			}
		case `"usage"`:
			if v.Kind == jsonscan.ObjectKind {
				readUsage(body, v, seen)
			}
		case `"service_tier"`:
			seen.Details.ServiceTier = wire.TierOf(v.Raw(body))
		case `"duration"`: // of what was transcribed
			seen.Details.Milliseconds = max(seen.Details.Milliseconds, milliseconds(body, v))
		case `"input_tokens"`: // POST /responses/input_tokens
			if n, ok := wire.Count(body, v); ok {
				seen.Take(wire.Usage{Input: n}, seen.Details)
			}
		case `"error"`:
			// OpenRouter answers 200 with an error when its own upstream
			// failed after it had accepted the call.
			if v.Kind == jsonscan.ObjectKind || v.Kind == jsonscan.String {
				seen.Failure = readError(body, v)
			}
		}
	}
	return nil
}

func quoted(data []byte, key jsonscan.Value) []byte { return data[key.Start:key.End] }

// isEmpty reports whether v is "", [] or {} without inner space.
func isEmpty(v jsonscan.Value) bool { return v.End-v.Start == 2 && v.Kind != jsonscan.Number }

// Interface guard.
var _ wire.Observer = (*observer)(nil)
