package openai

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamDecoder reads a stream of chat completion chunks as OpenAI and the
// compatible servers send it.
func (Codec) StreamDecoder() wire.StreamDecoder { return new(streamDecoder) }

// streamDecoder reads chunks. The first chunk with a choice starts the answer:
// Azure sends one before it that has neither id nor model, and some servers
// change the id later.
type streamDecoder struct {
	doc     wire.Doc
	ev      wire.Event
	emit    func(*wire.Event)
	choices []*streamChoice

	id, model string
	created   int64
	started   bool
	ended     bool

	// cited says that the sources of the answer, which Perplexity repeats
	// with every chunk, were handed on.
	cited bool

	// flooded says that a choice had more calls than any answer has.
	flooded bool
}

// Decode reads one chunk.
func (s *streamDecoder) Decode(ev *sse.Event, emit func(*wire.Event)) error {
	if !ev.HasData || s.ended {
		return nil
	}
	s.emit = emit
	if IsDone(ev.Data) {
		s.start()
		s.finish()
		return nil
	}
	if err := s.doc.Reset(ev.Data); err != nil || s.doc.Root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading stream event: %w", wire.ErrMalformed)
	}
	d := &s.doc
	var choices, usage, failure jsonscan.Value
	for key, v := range jsonscan.Members(d.Data, d.Root) {
		switch string(quoted(d.Data, key)) {
		case `"id"`:
			if s.id == "" {
				s.id = d.Str(v)
			}
		case `"model"`:
			if s.model == "" {
				s.model = d.Str(v)
			}
		case `"created"`:
			if s.created == 0 {
				s.created = d.Int(v)
			}
		case `"choices"`:
			choices = v
		case `"usage"`:
			if v.Kind == jsonscan.ObjectKind {
				usage = v
			}
		case `"x_groq"`:
			if u := d.Get(v, "usage"); u.Kind == jsonscan.ObjectKind && !usage.Exists() {
				usage = u
			}
		case `"error"`:
			failure = v
		}
	}
	f := readFailure(d, failure)
	if f == nil && string(ev.Name) == "error" { // without the member
		f = readFailure(d, d.Root)
	}
	if f != nil {
		s.usage(usage) // OpenRouter's last chunk
		s.fail(f)
		return nil
	}
	for v := range d.Elements(choices) {
		s.start()
		if f := s.choice(v); f != nil {
			s.fail(f)
			return nil
		}
	}
	s.usage(usage)
	if s.flooded {
		return fmt.Errorf("reading stream event: %w: too many tool calls", wire.ErrMalformed)
	}
	return nil
}

// End completes a stream without [DONE]. It is complete when every choice
// has a finish reason.
func (s *streamDecoder) End(emit func(*wire.Event)) {
	if s.ended || len(s.choices) == 0 {
		return
	}
	for _, c := range s.choices {
		if c.finish == wire.FinishNone {
			return
		}
	}
	s.emit = emit
	s.finish()
}

func (s *streamDecoder) start() {
	if s.started {
		return
	}
	s.started = true
	s.ev = wire.Event{Kind: wire.EventStart, ID: s.id, Model: s.model, Created: s.created}
	s.emit(&s.ev)
}

// finish ends the choices and the stream. The finish reason of a choice is
// held back until here, because servers send it twice, or text after it.
func (s *streamDecoder) finish() {
	s.ended = true
	for _, c := range s.choices {
		c.close()
	}
	s.ev = wire.Event{Kind: wire.EventEnd}
	s.emit(&s.ev)
}

func (s *streamDecoder) fail(f *wire.Failure) {
	s.start()
	s.ended = true
	s.ev = wire.Event{Kind: wire.EventFail, Failure: f}
	s.emit(&s.ev)
}

func (s *streamDecoder) usage(v jsonscan.Value) {
	if !v.Exists() {
		return
	}
	report, ok := readReport(&s.doc, v)
	if !ok {
		return
	}
	s.start()
	if report.ServiceTier == "" {
		report.ServiceTier = s.doc.StrAt(s.doc.Root, "service_tier")
	}
	s.ev = wire.Event{Kind: wire.EventUsage, Usage: &report}
	s.emit(&s.ev)
}

// choice reads one choice of a chunk. OpenRouter may have the error there.
func (s *streamDecoder) choice(v jsonscan.Value) *wire.Failure {
	d := &s.doc
	index := 0
	var delta, logprobs, finish, native, text, stop, failure jsonscan.Value
	for key, val := range jsonscan.Members(d.Data, v) {
		switch string(quoted(d.Data, key)) {
		case `"index"`:
			if n, ok := val.Int(d.Data); ok && n >= 0 && n < maxChoices {
				index = int(n)
			}
		case `"delta"`:
			delta = val
		case `"logprobs"`:
			logprobs = val
		case `"finish_reason"`:
			finish = val
		case `"native_finish_reason"`:
			native = val
		case `"text"`:
			text = val
		case `"stop_reason"`:
			stop = val
		case `"error"`:
			failure = val
		}
	}
	if f := readFailure(d, failure); f != nil {
		return f
	}
	c := s.at(index)
	c.logprobs = nil
	if logprobs.Kind == jsonscan.ObjectKind {
		c.logprobs = logprobs.Raw(d.Data)
	}
	c.delta(d, delta)
	if text.Kind == jsonscan.String { // legacy completions
		c.text(wire.TextBlock, d.Bytes(text))
	}
	if finish.Kind == jsonscan.String {
		c.finish, c.native = finishOf(d.Str(finish), d.Str(native))
		if stop.Kind == jsonscan.String && c.finish == wire.FinishStop { // vLLM
			c.finish, c.stopString = wire.FinishString, d.Str(stop)
		}
	}
	if !s.cited && c.isOpen(wire.TextBlock) {
		s.sources(c)
	}
	return nil
}

func (s *streamDecoder) at(index int) *streamChoice {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	c := &streamChoice{s: s, index: index}
	s.choices = append(s.choices, c)
	return c
}

// sources hands on Perplexity's, which are there from the first text on.
func (s *streamDecoder) sources(c *streamChoice) {
	s.cited = true
	for _, source := range readSources(&s.doc) {
		c.send(wire.Event{Kind: wire.EventCitation, Citation: &source})
	}
}
