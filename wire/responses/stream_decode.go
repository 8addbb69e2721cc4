package responses

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamDecoder returns a decoder for one answer.
func (Codec) StreamDecoder() wire.StreamDecoder { return &streamDecoder{} }

// streamDecoder reads the events of a response. Items may come interleaved;
// the canonical stream has one open block at a time, so the first item is
// handed on as it comes and the others are kept until their turn.
type streamDecoder struct {
	doc  wire.Doc
	ev   wire.Event
	emit func(*wire.Event)

	// piece is the event of nearly all calls. It has one of its own, since
	// clearing the whole struct would cost more than the rest.
	piece wire.Event

	started, ended bool
	queue          []*item // the first is live
	blocks         int     // that were opened
	any            bool    // some item has come
	calls, refused bool
	carriers       carriers
	logprobs       []byte // scratch
}

// message is the members that the events have.
type message struct {
	kind                                                []byte // the type, in quotes
	delta, item, part, response, failure                jsonscan.Value
	text, arguments, input, refusal, annotation, logits jsonscan.Value
	output, content, summary                            int64
}

// Decode reads one event.
func (d *streamDecoder) Decode(ev *sse.Event, emit func(*wire.Event)) error {
	if d.ended || !ev.HasData || bytes.HasPrefix(bytes.TrimSpace(ev.Data), []byte("[DONE]")) {
		return nil // some compatible servers add [DONE] to the end
	}
	if err := d.doc.Reset(ev.Data); err != nil || d.doc.Root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	d.emit = emit
	m := d.read()
	d.event(&m)
	d.emit = nil
	return nil
}

// End does nothing: a response without its last event is not complete.
func (d *streamDecoder) End(func(*wire.Event)) {}

func (d *streamDecoder) read() (m message) {
	data := d.doc.Data
	for key, v := range jsonscan.Members(data, d.doc.Root) {
		switch string(data[key.Start+1 : key.End-1]) {
		case "type":
			if v.Kind == jsonscan.String {
				m.kind = v.Raw(data)
			}
		case "delta":
			m.delta = v
		case "item":
			m.item = v
		case "part":
			m.part = v
		case "response":
			m.response = v
		case "error":
			m.failure = v
		case "text":
			m.text = v
		case "arguments":
			m.arguments = v
		case "input":
			m.input = v
		case "refusal":
			m.refusal = v
		case "annotation":
			m.annotation = v
		case "logprobs":
			m.logits = v
		case "output_index":
			m.output = d.doc.Int(v)
		case "content_index":
			m.content = d.doc.Int(v)
		case "summary_index":
			m.summary = d.doc.Int(v)
		}
	}
	return m
}

func (d *streamDecoder) event(m *message) {
	switch string(m.kind) {
	case `"response.created"`, `"response.queued"`, `"response.in_progress"`:
		d.start(m.response)
	case `"response.output_item.added"`:
		d.start(jsonscan.Value{})
		d.added(m)
	case `"response.output_item.done"`:
		d.start(jsonscan.Value{})
		d.done(m.output, m.item)
	case `"response.completed"`, `"response.incomplete"`:
		d.start(m.response)
		d.end(m.response)
	case `"response.failed"`, `"response.cancelled"`:
		d.start(m.response)
		d.usage(m.response)
		end := readEnd(&d.doc, m.response)
		if end.failure == nil {
			end.failure = &wire.Failure{Kind: wire.KindUpstream, Message: "the upstream's response failed"}
		}
		d.fail(end.failure)
	case `"error"`:
		if m.failure.Kind != jsonscan.ObjectKind {
			m.failure = d.doc.Root // the older, flat form
		}
		d.fail(failureOf(&d.doc, m.failure))
	case ``:
		if m.failure.Kind == jsonscan.ObjectKind || m.failure.Kind == jsonscan.String {
			d.fail(wire.ReadFailure(502, "", d.doc.Data)) // in the form of chat
		}
	default:
		d.partOf(m)
	}
}

// start hands on that the answer began, once.
func (d *streamDecoder) start(response jsonscan.Value) {
	if d.started {
		return
	}
	d.started = true
	d.ev = wire.Event{
		Kind: wire.EventStart, ID: d.doc.StrAt(response, "id"), Model: d.doc.StrAt(response, "model"),
		Created: seconds(&d.doc, d.doc.Get(response, "created_at")),
	}
	d.emit(&d.ev)
}

func (d *streamDecoder) fail(f *wire.Failure) {
	d.start(jsonscan.Value{})
	d.ended = true
	d.queue = nil
	d.ev = wire.Event{Kind: wire.EventFail, Failure: f}
	d.emit(&d.ev)
}

func (d *streamDecoder) usage(response jsonscan.Value) {
	report, ok := readReport(&d.doc, d.doc.Get(response, "usage"))
	if !ok {
		return
	}
	report.ServiceTier = d.doc.StrAt(response, "service_tier")
	d.ev = wire.Event{Kind: wire.EventUsage, Usage: &report}
	d.emit(&d.ev)
}

// end completes the answer. A server that streamed no items has them here.
func (d *streamDecoder) end(response jsonscan.Value) {
	if !d.any {
		i := int64(0)
		for v := range d.doc.Elements(d.doc.Get(response, "output")) {
			d.done(i, v)
			i++
		}
	}
	for _, it := range d.queue {
		d.closeBlock(it)
		it.done = true
	}
	d.advance()
	d.flush()
	d.usage(response)
	end := readEnd(&d.doc, response)
	if end.failure != nil {
		d.fail(end.failure)
		return
	}
	if end.finish == wire.FinishNone { // the type of the event says that it is over
		end.finish = wire.FinishStop
	}
	settle(&end.finish, d.calls, d.refused)
	d.ended = true
	d.ev = wire.Event{Kind: wire.EventFinish, Finish: end.finish, Native: end.native}
	d.emit(&d.ev)
	d.ev = wire.Event{Kind: wire.EventEnd}
	d.emit(&d.ev)
}
