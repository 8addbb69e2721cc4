package handlers

import (
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// mayCut prepares for the end that a stream may have to be given.
func (s *stream) mayCut() {
	if s.allowance == nil || s.conversation != nil {
		return
	}
	if s.ending = doors.Ending(s.call.route.Operation); s.ending == nil {
		s.allowance = nil
	}
}

// exceeded says why the stream must end before the event that was just read;
// empty when it may go on. One whose end has begun comes to it by itself.
func (s *stream) exceeded(class wire.Class) string {
	if s.finishing || class&(wire.Terminal|wire.Failed) != 0 {
		return ""
	}
	n, exact := s.told.Output()
	return s.allowance.exceeded(n+s.before, exact)
}

// cutOff ends the stream in the upstream's place, as the client's vendor ends
// one that has met its cap. The event that exceeds it is not passed on.
func (s *stream) cutOff(by string) error {
	c := s.call
	s.cut = true
	s.cancel(nil) // the upstream, before the client has read a byte of it
	s.told.Cut(by)
	unit := gateway.CutByCap
	if by == gateway.CutByLimit {
		unit = s.allowance.refusedBy.String()
	}
	c.proxy.metrics.Cut(unit)
	seen := s.told.Answer()
	var end []byte
	if s.conversation != nil {
		end = s.conversation.cutOff(seen.Usage)
	} else {
		end = s.ending.AppendLength(nil, &seen, c.x.Envelope.IncludeUsage)
	}
	return s.last(end)
}

// progress is how far a choice of a translated stream has come.
type progress struct {
	choice, index  int
	open, finished bool
}

// follow notes what ev opens and closes.
func (t *conversation) follow(ev *wire.Event) {
	switch ev.Kind {
	case wire.EventBlock, wire.EventBlockEnd:
		p := t.at(ev.Choice)
		p.index, p.open = ev.Index, ev.Kind == wire.EventBlock
	case wire.EventFinish:
		t.at(ev.Choice).finished = true
	}
}

func (t *conversation) at(choice int) *progress {
	for i := range t.choices {
		if t.choices[i].choice == choice {
			return &t.choices[i]
		}
	}
	t.choices = append(t.choices, progress{choice: choice})
	return &t.choices[len(t.choices)-1]
}

// cutOff ends the translated stream with what is open closed.
func (t *conversation) cutOff(usage wire.Usage) []byte {
	t.out = t.out[:0]
	if !t.started {
		t.write(&wire.Event{Kind: wire.EventStart})
	}
	if len(t.choices) == 0 {
		t.at(0)
	}
	for _, p := range t.choices {
		if p.open {
			t.write(&wire.Event{Kind: wire.EventBlockEnd, Choice: p.choice, Index: p.index})
		}
		if !p.finished {
			t.write(&wire.Event{Kind: wire.EventFinish, Choice: p.choice, Finish: wire.FinishLength})
		}
	}
	t.write(&wire.Event{Kind: wire.EventUsage, Usage: &wire.Report{Usage: usage, Reported: true}})
	t.write(&wire.Event{Kind: wire.EventEnd})
	return t.out
}
