// Package cohere is the door of Cohere's v2 API: chat, embed and rerank.
package cohere

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Door is the v2 chat dialect.
type Door struct{}

// Observer returns an observer for one answer.
func (Door) Observer() wire.Observer { return &observer{} }

// AppendErrorEvent appends the message-end by which the vendor says that a
// stream failed.
func (Door) AppendErrorEvent(dst []byte, f *wire.Failure, _ *wire.Seen) []byte {
	return appendFailure(dst, f)
}

// AppendHeartbeat appends a comment.
func (Door) AppendHeartbeat(dst []byte) []byte { return sse.AppendComment(dst, "heartbeat") }

// AppendMetadata appends an event of a type that SDKs skip as unknown.
func (Door) AppendMetadata(dst, meta []byte, _ *wire.Seen) []byte {
	data := append([]byte(nil), `{"type":"ai-metadata","ai_metadata":`...)
	return sse.AppendEvent(dst, "ai-metadata", append(append(data, meta...), '}'))
}

func appendFailure(dst []byte, f *wire.Failure) []byte {
	var w jsonw.Writer
	w.Object()
	w.Str("type", "message-end")
	w.Key("delta")
	w.Object()
	w.Str("error", f.Message)
	w.Str("finish_reason", "ERROR")
	w.End()
	w.End()
	return sse.AppendEvent(dst, "message-end", w.B)
}

var done = []byte("[DONE]")

// observer watches one answer.
type observer struct{ scratch wire.Scratch }

// Event reads a stream event by its type, which data and name repeat.
func (o *observer) Event(ev *sse.Event, seen *wire.Seen) (wire.Class, error) {
	if !ev.HasData {
		return 0, nil
	}
	if bytes.HasPrefix(ev.Data, done) {
		return wire.Terminal, nil
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return 0, fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	message := jsonscan.Lookup(ev.Data, root, "delta", "message")
	switch string(jsonscan.Lookup(ev.Data, root, "type").Raw(ev.Data)) {
	case `"message-start"`:
		seen.ID = o.scratch.String(ev.Data, jsonscan.Lookup(ev.Data, root, "id"))
		return 0, nil
	case `"content-start"`, `"content-delta"`:
		content := jsonscan.Lookup(ev.Data, message, "content")
		return o.text(ev.Data, jsonscan.Lookup(ev.Data, content, "text"), seen) |
			o.text(ev.Data, jsonscan.Lookup(ev.Data, content, "thinking"), seen), nil
	case `"tool-plan-delta"`:
		return o.text(ev.Data, jsonscan.Lookup(ev.Data, message, "tool_plan"), seen), nil
	case `"tool-call-start"`, `"tool-call-delta"`:
		function := jsonscan.Lookup(ev.Data, message, "tool_calls", "function")
		return o.text(ev.Data, jsonscan.Lookup(ev.Data, function, "name"), seen) |
			o.text(ev.Data, jsonscan.Lookup(ev.Data, function, "arguments"), seen), nil
	case `"citation-start"`:
		return wire.Content, nil
	case `"message-end"`:
		return o.end(ev.Data, root, seen), nil
	case "":
		if m := jsonscan.Lookup(ev.Data, root, "message"); m.Kind == jsonscan.String {
			seen.Failure = wire.ReadFailure(500, "", ev.Data)
			return wire.Failed, nil
		}
	}
	return 0, nil // content-end, tool-call-end, citation-end, and what is new
}

func (o *observer) end(data []byte, root jsonscan.Value, seen *wire.Seen) wire.Class {
	delta := jsonscan.Lookup(data, root, "delta")
	if report := readReport(data, jsonscan.Lookup(data, delta, "usage")); report.Reported {
		seen.Take(report.Usage, report.Details)
	}
	seen.Finish = o.scratch.String(data, jsonscan.Lookup(data, delta, "finish_reason"))
	if f := readFinishError(data, delta, seen.Finish); f != nil {
		seen.Failure = f
		return wire.Failed
	}
	return wire.Finishing
}

// Answer reads an answer of v2/chat, v2/embed or v2/rerank.
func (o *observer) Answer(body []byte, seen *wire.Seen) error {
	root, err := wire.ParseAnswer(body)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	usage := jsonscan.Lookup(body, root, "usage")
	if !usage.Exists() {
		usage = jsonscan.Lookup(body, root, "meta")
	}
	if report := readReport(body, usage); report.Reported {
		seen.Take(report.Usage, report.Details)
	}
	seen.ID = o.scratch.String(body, jsonscan.Lookup(body, root, "id"))
	seen.Finish = o.scratch.String(body, jsonscan.Lookup(body, root, "finish_reason"))
	seen.Failure = readFinishError(body, root, seen.Finish)
	message := jsonscan.Lookup(body, root, "message")
	o.text(body, jsonscan.Lookup(body, message, "tool_plan"), seen)
	for part := range jsonscan.Elements(body, jsonscan.Lookup(body, message, "content")) {
		o.text(body, jsonscan.Lookup(body, part, "thinking"), seen)
		o.text(body, jsonscan.Lookup(body, part, "text"), seen)
	}
	for call := range jsonscan.Elements(body, jsonscan.Lookup(body, message, "tool_calls")) {
		o.text(body, jsonscan.Lookup(body, call, "function", "name"), seen)
		o.text(body, jsonscan.Lookup(body, call, "function", "arguments"), seen)
	}
	return nil
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
