// Package bedrock is the door of Amazon Bedrock: Converse and ConverseStream,
// and the embeddings of InvokeModel. The model is named in the path of a call,
// not in its body.
//
// Streams are read and written as server-sent events: the name is the frame's
// event type, the data its payload. internal/eventstream makes them of the
// vendor's binary frames.
package bedrock

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Door is the Converse dialect.
type Door struct{}

// Observer returns an observer for one answer.
func (Door) Observer() wire.Observer { return &observer{} }

// AppendErrorEvent appends an exception as its frame would be rendered.
func (Door) AppendErrorEvent(dst []byte, f *wire.Failure, _ *wire.Seen) []byte {
	return appendException(dst, f)
}

// AppendHeartbeat appends a comment.
func (Door) AppendHeartbeat(dst []byte) []byte { return sse.AppendComment(dst, "heartbeat") }

// AppendMetadata appends an event of a type that SDKs skip as unknown.
func (Door) AppendMetadata(dst, meta []byte, _ *wire.Seen) []byte {
	return sse.AppendEvent(dst, "aiMetadata", meta)
}

// observer watches one answer.
type observer struct{ scratch wire.Scratch }

// Event reads a stream event. The stream is at its end with metadata, which
// brings the usage after messageStop.
func (o *observer) Event(ev *sse.Event, seen *wire.Seen) (wire.Class, error) {
	if !ev.HasData {
		return 0, nil
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return 0, fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	switch string(ev.Name) {
	case "messageStart", "contentBlockStop", "aiMetadata":
		return 0, nil
	case "contentBlockStart":
		o.text(ev.Data, jsonscan.Lookup(ev.Data, root, "start", "toolUse", "name"), seen)
		return wire.Content, nil
	case "contentBlockDelta":
		return o.delta(ev.Data, jsonscan.Lookup(ev.Data, root, "delta"), seen), nil
	case "messageStop":
		seen.Finish = o.scratch.String(ev.Data, jsonscan.Lookup(ev.Data, root, "stopReason"))
		return wire.Finishing, nil
	case "metadata":
		readUsage(ev.Data, jsonscan.Lookup(ev.Data, root, "usage"), seen)
		return wire.Terminal, nil
	}
	if f := readException(string(ev.Name), ev.Data, root); f != nil {
		seen.Failure = f
		return wire.Failed, nil
	}
	return 0, nil
}

// Answer reads an answer of Converse, or of an embeddings model.
func (o *observer) Answer(body []byte, seen *wire.Seen) error {
	root, err := wire.ParseAnswer(body)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	if n, ok := wire.Count(body, jsonscan.Lookup(body, root, "inputTextTokenCount")); ok {
		seen.Take(wire.Usage{Input: n}, seen.Details)
		return nil
	}
	seen.Finish = o.scratch.String(body, jsonscan.Lookup(body, root, "stopReason"))
	readUsage(body, jsonscan.Lookup(body, root, "usage"), seen)
	for block := range jsonscan.Elements(body, jsonscan.Lookup(body, root, "output", "message", "content")) {
		o.block(body, block, seen)
	}
	return nil
}

// block shows the text of a whole content block.
func (o *observer) block(data []byte, block jsonscan.Value, seen *wire.Seen) {
	o.text(data, jsonscan.Lookup(data, block, "text"), seen)
	o.text(data, jsonscan.Lookup(data, block, "reasoningContent", "reasoningText", "text"), seen)
	for part := range jsonscan.Elements(data, jsonscan.Lookup(data, block, "citationsContent", "content")) {
		o.text(data, jsonscan.Lookup(data, part, "text"), seen)
	}
	if call := jsonscan.Lookup(data, block, "toolUse"); call.Exists() {
		o.text(data, jsonscan.Lookup(data, call, "name"), seen)
		seen.AddText(jsonscan.Lookup(data, call, "input").Raw(data))
	}
}

func (o *observer) delta(data []byte, delta jsonscan.Value, seen *wire.Seen) wire.Class {
	for kind, v := range jsonscan.Members(data, delta) {
		switch string(data[kind.Start:kind.End]) {
		case `"text"`:
			return o.text(data, v, seen)
		case `"toolUse"`:
			return o.text(data, jsonscan.Lookup(data, v, "input"), seen)
		case `"reasoningContent"`:
			if text := jsonscan.Lookup(data, v, "text"); text.Exists() {
				return o.text(data, text, seen)
			}
		}
		return wire.Content
	}
	return 0
}

func (o *observer) text(data []byte, v jsonscan.Value, seen *wire.Seen) wire.Class {
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
