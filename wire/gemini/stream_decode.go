package gemini

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// streamDecoder reads a stream of GenerateContentResponses. It has no
// terminator: reasons to finish are kept until the body ends, because a chunk
// with sources or usage may follow the one that gives them.
type streamDecoder struct {
	doc   wire.Doc
	ev    wire.Event
	emit  func(*wire.Event)
	id    string
	made  int
	usage wire.Report

	started bool
	ended   bool // by EventEnd or EventFail

	choices []*streamChoice
	scratch []byte
}

// Decode reads one chunk, or an error.
func (s *streamDecoder) Decode(ev *sse.Event, emit func(*wire.Event)) error {
	if s.ended || !ev.HasData {
		return nil
	}
	s.emit = emit
	if err := s.doc.Reset(ev.Data); err != nil {
		return fmt.Errorf("reading stream event: %w: %w", wire.ErrMalformed, err)
	}
	if s.doc.Root.Kind == jsonscan.Array { // how some of Google's endpoints wrap an error
		for e := range s.doc.Elements(s.doc.Root) {
			if err := s.chunk(e); err != nil {
				return err
			}
		}
		return nil
	}
	return s.chunk(s.doc.Root)
}

// send hands on the event that is set and clears it.
func (s *streamDecoder) send() {
	s.emit(&s.ev)
	s.ev = wire.Event{}
}

func (s *streamDecoder) chunk(root jsonscan.Value) error {
	if s.ended {
		return nil
	}
	if root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading stream event: %w: not an object", wire.ErrMalformed)
	}
	d := &s.doc
	var candidates, feedback, usage, failure jsonscan.Value
	for name, v := range d.Members(root) {
		switch name {
		case "candidates":
			candidates = v
		case "promptFeedback":
			feedback = v
		case "usageMetadata":
			usage = v
		case "error":
			failure = v
		}
	}
	if !s.started {
		s.started = true
		s.id = d.StrAt(root, "responseId")
		s.ev = wire.Event{Kind: wire.EventStart, ID: s.id, Model: d.StrAt(root, "modelVersion"), Created: createTime(d, root)}
		s.send()
	}
	if failure.Kind == jsonscan.ObjectKind || failure.Kind == jsonscan.String {
		s.ended = true
		s.ev = wire.Event{Kind: wire.EventFail, Failure: readError(d, failure)}
		s.send()
		return nil
	}
	for candidate := range d.Elements(candidates) {
		if err := s.candidate(candidate); err != nil {
			return err
		}
	}
	if reason := d.StrAt(feedback, "blockReason"); reason != "" {
		if c := s.choice(0); c.finish == wire.FinishNone {
			c.finish, c.native = wire.FinishPolicy, reason
			c.explanation = d.StrAt(feedback, "blockReasonMessage")
		}
	}
	if usage.Kind == jsonscan.ObjectKind {
		report := s.usage
		if readUsage(d, usage, &report); report.Checked().Reported && report != s.usage {
			s.usage = report
			s.ev = wire.Event{Kind: wire.EventUsage, Usage: &s.usage}
			s.send()
		}
	}
	return nil
}

func (s *streamDecoder) choice(index int) *streamChoice {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	c := &streamChoice{s: s, index: index}
	s.choices = append(s.choices, c)
	return c
}

func (s *streamDecoder) candidate(candidate jsonscan.Value) error {
	d := &s.doc
	if candidate.Kind != jsonscan.ObjectKind {
		return errIndex
	}
	var index, content, reason, message, logprobs jsonscan.Value
	cited := false
	for name, v := range d.Members(candidate) {
		switch name {
		case "index":
			index = v
		case "content":
			content = v
		case "finishReason":
			reason = v
		case "finishMessage":
			message = v
		case "logprobsResult":
			logprobs = v
		case "groundingMetadata", "citationMetadata":
			cited = true
		}
	}
	at, err := candidateIndex(d, index)
	if err != nil {
		return err
	}
	c := s.choice(at)
	if logprobs.Exists() {
		c.logprobs = appendLogProbs(c.logprobs[:0], d, logprobs)
	}
	for part := range d.Elements(d.Get(content, "parts")) {
		if err := c.part(part); err != nil {
			return err
		}
	}
	c.flushLogProbs()
	if cited {
		c.cite(candidate)
	}
	if word := finishReason(d, reason); word != "" {
		c.native, c.finish = word, finishOf(word, false)
	}
	if message.Kind == jsonscan.String {
		c.explanation = d.Str(message)
	}
	return nil
}

// End completes a stream in which every candidate gave its reason to finish.
func (s *streamDecoder) End(emit func(*wire.Event)) {
	if s.ended || len(s.choices) == 0 {
		return
	}
	for _, c := range s.choices {
		if c.finish == wire.FinishNone {
			return
		}
	}
	s.emit, s.ended = emit, true
	for _, c := range s.choices {
		c.close()
		finish := c.finish
		if finish == wire.FinishStop && c.calls {
			finish = wire.FinishTools
		}
		s.ev = wire.Event{Kind: wire.EventFinish, Choice: c.index, Finish: finish, Native: c.native, Explanation: c.explanation}
		s.send()
	}
	s.ev = wire.Event{Kind: wire.EventEnd}
	s.send()
}
