// Package anthropic is the door of Anthropic's Messages API.
package anthropic

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Door is the Anthropic dialect.
type Door struct{}

// Observer returns an observer for one answer.
func (Door) Observer() wire.Observer { return &observer{} }

// AppendErrorEvent appends `event: error`; SDKs swallow errors without a name.
func (Door) AppendErrorEvent(dst []byte, f *wire.Failure, _ *wire.Seen) []byte {
	return sse.AppendEvent(dst, "error", wire.AppendAnthropicError(nil, f))
}

// AppendHeartbeat appends the vendor's own ping.
func (Door) AppendHeartbeat(dst []byte) []byte {
	return sse.AppendEvent(dst, "ping", []byte(`{"type":"ping"}`))
}

// AppendMetadata appends a ping that carries one member more, which every
// SDK skips and every caller of raw events can read.
func (Door) AppendMetadata(dst, meta []byte, _ *wire.Seen) []byte {
	data := append([]byte(nil), `{"type":"ping","ai_metadata":`...)
	data = append(data, meta...)
	data = append(data, '}')
	return sse.AppendEvent(dst, "ping", data)
}

// observer watches one answer.
type observer struct {
	scratch wire.Scratch
	usage   usage

	// usual is a delta that brought text.
	usual wire.Pattern
}

// Event reads a stream event by its type, which data and name repeat.
func (o *observer) Event(ev *sse.Event, seen *wire.Seen) (wire.Class, error) {
	if !ev.HasData {
		return 0, nil
	}
	if holes, ok := o.usual.Match(ev.Data); ok {
		return o.textOf(ev.Data, holes[0], seen), nil
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		if string(ev.Name) == "data" { // OpenRouter ends with `event: data`, `data: [DONE]`
			return 0, nil
		}
		return 0, fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	kind := jsonscan.Lookup(ev.Data, root, "type")
	if kind.Kind != jsonscan.String {
		return wire.Content, nil
	}
	switch string(kind.Raw(ev.Data)) {
	case `"ping"`:
		return 0, nil
	case `"message_start"`:
		o.message(ev.Data, jsonscan.Lookup(ev.Data, root, "message"), seen)
		return 0, nil
	case `"content_block_start"`:
		return o.block(ev.Data, jsonscan.Lookup(ev.Data, root, "content_block"), seen), nil
	case `"content_block_delta"`:
		return o.delta(ev.Data, jsonscan.Lookup(ev.Data, root, "delta"), seen), nil
	case `"content_block_stop"`:
		return 0, nil
	case `"message_delta"`:
		o.usage.read(ev.Data, jsonscan.Lookup(ev.Data, root, "usage"), seen)
		if v := jsonscan.Lookup(ev.Data, root, "delta", "stop_reason"); v.Kind == jsonscan.String {
			seen.Finish = o.scratch.String(ev.Data, v)
			return wire.Finishing, nil
		}
		return 0, nil
	case `"message_stop"`:
		return wire.Terminal, nil
	case `"error"`:
		seen.Failure = readError(ev.Data, jsonscan.Lookup(ev.Data, root, "error"))
		return wire.Failed, nil
	default:
		return wire.Content, nil
	}
}

// Answer reads a message, or what count_tokens answers.
func (o *observer) Answer(body []byte, seen *wire.Seen) error {
	root, err := wire.ParseAnswer(body)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	if n, ok := wire.Count(body, jsonscan.Lookup(body, root, "input_tokens")); ok {
		seen.Take(wire.Usage{Input: n}, seen.Details)
		return nil
	}
	if string(jsonscan.Lookup(body, root, "type").Raw(body)) == `"error"` {
		seen.Failure = readError(body, jsonscan.Lookup(body, root, "error"))
		return nil
	}
	o.message(body, root, seen)
	return nil
}

// message reads a message object, whole or as message_start has it.
func (o *observer) message(data []byte, message jsonscan.Value, seen *wire.Seen) {
	for key, v := range jsonscan.Members(data, message) {
		switch string(data[key.Start:key.End]) {
		case `"id"`:
			if seen.ID == "" && v.Kind == jsonscan.String {
				seen.ID = o.scratch.String(data, v)
			}
		case `"model"`:
			if v.Kind == jsonscan.String {
				seen.Model = o.scratch.String(data, v)
			}
		case `"stop_reason"`:
			if v.Kind == jsonscan.String {
				seen.Finish = o.scratch.String(data, v)
			}
		case `"usage"`:
			o.usage.read(data, v, seen)
		case `"content"`:
			for block := range jsonscan.Elements(data, v) {
				o.block(data, block, seen)
			}
		}
	}
}

// block reads a content block. Blocks that arrive whole, such as redacted
// thinking and server tool results, are content; an empty text block is not.
func (o *observer) block(data []byte, block jsonscan.Value, seen *wire.Seen) wire.Class {
	switch string(jsonscan.Lookup(data, block, "type").Raw(data)) {
	case `"text"`:
		return o.textOf(data, jsonscan.Lookup(data, block, "text"), seen)
	case `"thinking"`:
		return o.textOf(data, jsonscan.Lookup(data, block, "thinking"), seen)
	case `"tool_use"`, `"server_tool_use"`, `"mcp_tool_use"`:
		o.textOf(data, jsonscan.Lookup(data, block, "name"), seen)
		if input := jsonscan.Lookup(data, block, "input"); input.End-input.Start > len("{}") {
			seen.AddText(input.Raw(data))
		}
		return wire.Content
	default:
		return wire.Content
	}
}

func (o *observer) delta(data []byte, delta jsonscan.Value, seen *wire.Seen) wire.Class {
	for _, member := range []string{"text", "partial_json", "thinking"} {
		if v := jsonscan.Lookup(data, delta, member); v.Kind == jsonscan.String {
			o.usual.Learn(data, v)
			return o.textOf(data, v, seen)
		}
	}
	return wire.Content
}

func (o *observer) textOf(data []byte, v jsonscan.Value, seen *wire.Seen) wire.Class {
	if v.Kind != jsonscan.String || v.End-v.Start <= len(`""`) {
		return 0
	}
	seen.AddText(o.scratch.Bytes(data, v))
	return wire.Content
}

// Interface guards.
var (
	_ wire.Door     = Door{}
	_ wire.Observer = (*observer)(nil)
)
