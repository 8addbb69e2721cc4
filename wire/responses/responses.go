// Package responses is the door of OpenAI's Responses API.
package responses

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Door is the Responses dialect.
type Door struct{}

// Observer returns an observer for one answer.
func (Door) Observer() wire.Observer { return &observer{} }

// AppendErrorEvent appends response.failed, the one terminal event by which
// SDKs know a failed response. It needs a whole response object.
func (Door) AppendErrorEvent(dst []byte, f *wire.Failure, seen *wire.Seen) []byte {
	id := seen.ID
	if id == "" {
		id = "resp_" + f.RequestID
	}
	data := append([]byte(nil), `{"type":"response.failed","sequence_number":`...)
	data = strconv.AppendInt(data, seen.Sequence+1, 10)
	data = append(data, `,"response":{"id":`...)
	data = jsonscan.AppendString(data, id)
	data = append(data, `,"object":"response","status":"failed","model":`...)
	data = jsonscan.AppendString(data, seen.Model)
	data = append(data, `,"output":[],"usage":null,"incomplete_details":null,"error":{"code":"`...)
	data = append(data, f.Kind.OpenAICode()...)
	data = append(data, `","message":`...)
	data = jsonscan.AppendString(data, f.Message)
	data = append(data, `}}}`...)
	return sse.AppendEvent(dst, "response.failed", data)
}

// AppendHeartbeat appends a comment.
func (Door) AppendHeartbeat(dst []byte) []byte { return sse.AppendComment(dst, "keep-alive") }

// AppendMetadata appends a keepalive, the event that OpenAI sends where it has
// nothing to say: openai-node's helper breaks on types that it does not know. It
// has no sequence_number, since the numbers are the upstream's and have no gap.
func (Door) AppendMetadata(dst, meta []byte, _ *wire.Seen) []byte {
	data := append([]byte(nil), `{"type":"keepalive","ai_metadata":`...)
	data = append(data, meta...)
	data = append(data, '}')
	return sse.AppendEvent(dst, "keepalive", data)
}

// observer watches one answer.
type observer struct {
	scratch wire.Scratch

	// usual is an event that brought text: its number, the text and what pads it.
	usual wire.Pattern
}

// Event reads a stream event.
func (o *observer) Event(ev *sse.Event, seen *wire.Seen) (wire.Class, error) {
	if !ev.HasData {
		return 0, nil
	}
	if bytes.HasPrefix(bytes.TrimSpace(ev.Data), []byte("[DONE]")) {
		return 0, nil // some compatible servers add it; the end was the event before
	}
	if holes, ok := o.usual.Match(ev.Data); ok {
		seen.Sequence, _ = holes[0].Int(ev.Data)
		seen.AddText(o.scratch.Bytes(ev.Data, holes[1]))
		return wire.Content, nil
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return 0, fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	var kind, number, text, response, failure jsonscan.Value
	for key, v := range jsonscan.Members(ev.Data, root) {
		switch string(ev.Data[key.Start:key.End]) {
		case `"type"`:
			kind = v
		case `"sequence_number"`:
			number = v
			seen.Sequence, _ = v.Int(ev.Data)
		case `"delta"`:
			text = v
		case `"response"`:
			response = v
		case `"error"`:
			failure = v
		}
	}
	name := kind.Raw(ev.Data)
	if kind.Kind != jsonscan.String {
		name = nil
	}
	switch string(name) {
	case `"response.created"`, `"response.in_progress"`, `"response.queued"`:
		o.response(ev.Data, response, seen)
		return 0, nil
	case `"response.output_item.added"`, `"response.content_part.added"`, `"response.reasoning_summary_part.added"`:
		return 0, nil
	case `"response.completed"`, `"response.incomplete"`:
		o.response(ev.Data, response, seen)
		return wire.Terminal, nil
	case `"response.failed"`:
		o.response(ev.Data, response, seen)
		if seen.Failure == nil {
			seen.Failure = readError(ev.Data, jsonscan.Lookup(ev.Data, response, "error"))
		}
		return wire.Failed | wire.Terminal, nil
	case `"error"`:
		if failure.Kind != jsonscan.ObjectKind {
			failure = root // the older, flat form
		}
		seen.Failure = readError(ev.Data, failure)
		return wire.Failed, nil
	}
	if text.Kind == jsonscan.String {
		seen.AddText(o.scratch.Bytes(ev.Data, text))
		if number.Kind == jsonscan.Number {
			o.usual.Learn(ev.Data, number, text, wire.StringIn(ev.Data, root, "obfuscation"))
		}
	}
	return wire.Content, nil
}

// Answer reads a response object, or what input_tokens and compact answer.
func (o *observer) Answer(body []byte, seen *wire.Seen) error {
	root, err := wire.ParseAnswer(body)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	o.response(body, root, seen)
	for item := range jsonscan.Elements(body, jsonscan.Lookup(body, root, "output")) {
		o.item(body, item, seen)
	}
	if n, ok := wire.Count(body, jsonscan.Lookup(body, root, "input_tokens")); ok {
		seen.Take(wire.Usage{Input: n}, seen.Details)
	}
	return nil
}

// response reads a response object.
func (o *observer) response(data []byte, response jsonscan.Value, seen *wire.Seen) {
	reason := "" // says more than the status, wherever it stands
	for key, v := range jsonscan.Members(data, response) {
		switch string(data[key.Start:key.End]) {
		case `"id"`:
			if seen.ID == "" {
				seen.ID = o.scratch.String(data, v)
			}
		case `"model"`:
			if v.Kind == jsonscan.String {
				seen.Model = o.scratch.String(data, v)
			}
		case `"status"`:
			if v.Kind == jsonscan.String {
				seen.Finish = o.scratch.String(data, v)
			}
		case `"incomplete_details"`:
			if r := jsonscan.Lookup(data, v, "reason"); r.Kind == jsonscan.String {
				reason = o.scratch.String(data, r)
			}
		case `"error"`:
			if v.Kind == jsonscan.ObjectKind {
				seen.Failure = readError(data, v)
			}
		case `"usage"`:
			if v.Kind == jsonscan.ObjectKind {
				readUsage(data, v, seen)
			}
		case `"service_tier"`:
			seen.Details.ServiceTier = wire.TierOf(v.Raw(data))
		case `"output"`:
			seen.Details.WebSearches = searches(data, v)
		}
	}
	if reason != "" {
		seen.Finish = reason
	}
}

// item hands over the generated text of an item of an answer that was no stream.
func (o *observer) item(data []byte, item jsonscan.Value, seen *wire.Seen) {
	for key, v := range jsonscan.Members(data, item) {
		switch string(data[key.Start:key.End]) {
		case `"name"`, `"arguments"`, `"input"`:
			if v.Kind == jsonscan.String {
				seen.AddText(o.scratch.Bytes(data, v))
			}
		case `"content"`, `"summary"`:
			for part := range jsonscan.Elements(data, v) {
				for _, member := range []string{"text", "refusal"} {
					if text := jsonscan.Lookup(data, part, member); text.Kind == jsonscan.String {
						seen.AddText(o.scratch.Bytes(data, text))
					}
				}
			}
		}
	}
}

// searches are the web searches among the items of an output. Pages that were opened or
// looked through afterwards are none.
func searches(data []byte, output jsonscan.Value) (n int64) {
	for item := range jsonscan.Elements(data, output) {
		if !jsonscan.Lookup(data, item, "type").Is(data, "web_search_call") {
			continue
		}
		if action := jsonscan.Lookup(data, item, "action", "type"); !action.Exists() || action.Is(data, "search") {
			n++
		}
	}
	return n
}

func readUsage(data []byte, usage jsonscan.Value, seen *wire.Seen) {
	input, output := jsonscan.Lookup(data, usage, "input_tokens"), jsonscan.Lookup(data, usage, "output_tokens")
	if !input.Exists() && !output.Exists() {
		return
	}
	count := func(path ...string) int64 { return wire.Detail(data, jsonscan.Lookup(data, usage, path...)) }
	d := seen.Details
	d.InputAudio, d.InputImage = count("input_tokens_details", "audio_tokens"), count("input_tokens_details", "image_tokens")
	d.OutputAudio = count("output_tokens_details", "audio_tokens")
	u := wire.Usage{
		CacheRead:  count("input_tokens_details", "cached_tokens"),
		CacheWrite: count("input_tokens_details", "cache_write_tokens"),
		Reasoning:  count("output_tokens_details", "reasoning_tokens"),
	}
	u.Input, _ = wire.Count(data, input)
	u.Output, _ = wire.Count(data, output)
	seen.Take(u, d)
}

func readError(data []byte, v jsonscan.Value) *wire.Failure {
	f := &wire.Failure{Kind: wire.KindUpstream}
	if m := jsonscan.Lookup(data, v, "message"); m.Kind == jsonscan.String {
		text, _ := m.Text(data, nil)
		f.Message = string(text)
	}
	code := string(jsonscan.Lookup(data, v, "code").Raw(data))
	switch code {
	case `"rate_limit_exceeded"`:
		f.Kind = wire.KindRateLimit
	case `"insufficient_quota"`:
		f.Kind = wire.KindBudget
	case `"invalid_prompt"`:
		f.Kind = wire.KindInvalid
	}
	f.Kind = wire.Classify(f.Kind, code+" "+string(jsonscan.Lookup(data, v, "type").Raw(data)), f.Message)
	return f
}

// Interface guards.
var (
	_ wire.Door     = Door{}
	_ wire.Observer = (*observer)(nil)
)
