package gemini

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// observer watches one answer.
type observer struct {
	doc wire.Doc

	// answered says that there was a candidate.
	answered bool
}

// Event reads a chunk, or an error, which some endpoints wrap in an array.
func (o *observer) Event(ev *sse.Event, seen *wire.Seen) (wire.Class, error) {
	if !ev.HasData {
		return 0, nil
	}
	if err := o.doc.Reset(ev.Data); err != nil {
		return 0, fmt.Errorf("reading stream event: %w: %w", wire.ErrMalformed, err)
	}
	switch o.doc.Root.Kind {
	case jsonscan.ObjectKind:
		return o.chunk(o.doc.Root, seen), nil
	case jsonscan.Array:
		var class wire.Class
		for e := range o.doc.Elements(o.doc.Root) {
			class |= o.chunk(e, seen)
		}
		return class, nil
	default:
		return 0, fmt.Errorf("reading stream event: %w: not an object", wire.ErrMalformed)
	}
}

// Answer reads a whole answer of any operation of this door, also a stream
// that was asked for without alt=sse, which is one array.
func (o *observer) Answer(body []byte, seen *wire.Seen) error {
	if err := o.doc.Reset(body); err != nil {
		return fmt.Errorf("reading answer: %w: %w", wire.ErrMalformed, err)
	}
	switch o.doc.Root.Kind {
	case jsonscan.ObjectKind:
		o.chunk(o.doc.Root, seen)
	case jsonscan.Array:
		for e := range o.doc.Elements(o.doc.Root) {
			o.chunk(e, seen)
		}
	default:
		return fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	return nil
}

// chunk reads one GenerateContentResponse, or the answer of another operation.
// Chunks of unknown shape pass as content: a new event must not be held back.
func (o *observer) chunk(root jsonscan.Value, seen *wire.Seen) (class wire.Class) {
	d := &o.doc
	known, blocked := false, false
	for name, v := range d.Members(root) {
		switch name {
		case "candidates":
			known = true
			for candidate := range d.Elements(v) {
				o.answered = true
				class |= o.candidate(candidate, seen)
			}
		case "promptFeedback":
			known = true
			if reason := d.Get(v, "blockReason"); reason.Kind == jsonscan.String {
				class |= wire.Finishing
				seen.Finish, blocked = d.Str(reason), true
			}
		case "usageMetadata":
			known = true
			var report wire.Report
			if readUsage(d, v, &report); report.Reported {
				seen.Take(report.Usage, report.Details)
			}
		case "totalTokens": // countTokens
			known = true
			if n, ok := wire.Count(d.Data, v); ok {
				seen.Take(wire.Usage{Input: n, CacheRead: seen.Usage.CacheRead}, seen.Details)
			}
		case "cachedContentTokenCount":
			seen.Usage.CacheRead = wire.Detail(d.Data, v)
		case "modelVersion":
			known = true
			if seen.Model == "" {
				seen.Model = d.Str(v)
			}
		case "responseId":
			known = true
			if seen.ID == "" {
				seen.ID = d.Str(v)
			}
		case "error":
			if v.Kind == jsonscan.ObjectKind || v.Kind == jsonscan.String {
				known = true
				class |= wire.Failed
				seen.Failure = readError(d, v)
			}
		}
	}
	seen.Blocked = !o.answered && (blocked || seen.Blocked)
	if !known {
		class |= wire.Content
	}
	return class
}

func (o *observer) candidate(candidate jsonscan.Value, seen *wire.Seen) (class wire.Class) {
	d := &o.doc
	for name, v := range d.Members(candidate) {
		switch name {
		case "content":
			for part := range d.Elements(d.Get(v, "parts")) {
				class |= o.part(part, seen)
			}
		case "finishReason":
			if word := finishReason(d, v); word != "" {
				class |= wire.Finishing
				seen.Finish = word
			}
		}
	}
	return class
}

// part shows the text of a part. A part that is only an empty text is what
// last chunks bring along.
func (o *observer) part(part jsonscan.Value, seen *wire.Seen) (class wire.Class) {
	d := &o.doc
	for name, v := range d.Members(part) {
		switch name {
		case "thought":
		case "text":
			if v.Kind == jsonscan.String && v.End-v.Start > len(`""`) {
				class |= wire.Content
				seen.AddText(d.Bytes(v))
			}
		case "functionCall":
			class |= wire.Content
			seen.AddText(d.Bytes(d.Get(v, "name")))
			if args := d.Get(v, "args"); args.End-args.Start > len("{}") {
				seen.AddText(args.Raw(d.Data))
			}
			for arg := range d.Elements(d.Get(v, "partialArgs")) {
				seen.AddText(d.Bytes(d.Get(arg, "stringValue")))
			}
		case "executableCode":
			class |= wire.Content
			seen.AddText(d.Bytes(d.Get(v, "code")))
		default:
			if v.Kind != jsonscan.Null {
				class |= wire.Content
			}
		}
	}
	return class
}

// Interface guard.
var _ wire.Observer = (*observer)(nil)
