package handlers

import (
	"bytes"
	"unicode/utf8"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/seam"
	"github.com/weirproxy/weir/wire"
)

// script is what a client has been shown of an answer, as far as another target
// needs it to go on.
type script struct {
	text  []byte
	kind  wire.BlockType // of the block that was opened last
	index int            // its number, -1 before the first
	open  bool

	// stuck says that nobody can go on: the answer holds something besides text
	// and thoughts, or is over.
	stuck bool
}

// maxScript is the longest text that is kept to be gone on with.
const maxScript = 256 << 10

// note takes in an event of the client's stream.
func (s *script) note(ev *wire.Event) {
	switch ev.Kind {
	case wire.EventBlock:
		s.kind, s.index, s.open = ev.Block, ev.Index, true
		switch ev.Block {
		case wire.TextBlock, wire.ThinkingBlock, wire.RedactedBlock:
			s.stuck = s.stuck || ev.Choice != 0
		default:
			s.stuck = true
		}
	case wire.EventDelta:
		if s.kind == wire.TextBlock && !s.stuck {
			s.text = append(s.text, ev.Text...)
		}
		s.stuck = s.stuck || len(ev.LogProbs) > 0 || len(s.text) > maxScript
	case wire.EventBlockEnd:
		s.open = false
	case wire.EventFinish, wire.EventFail, wire.EventEnd:
		s.stuck = true
	}
	if s.stuck {
		s.text = nil
	}
}

// shown is the text so far, empty where nobody can go on. A character that was
// not complete is left out: no vendor takes a piece of one.
func (s *script) shown() string {
	if s.stuck || s.open && s.kind != wire.TextBlock || len(bytes.TrimSpace(s.text)) == 0 {
		return ""
	}
	text := s.text
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n]; utf8.RuneStart(last) {
			if !utf8.FullRune(text[len(text)-n:]) {
				text = text[:len(text)-n]
			}
			break
		}
	}
	return string(bytes.ToValidUTF8(text, []byte("\uFFFD")))
}

// joiner makes the events of an answer that goes on with another one those of
// the client's stream: its text goes into the block that is open, without what
// the client has seen already; its thoughts are nobody's business, and its
// numbers follow the client's.
type joiner struct {
	seam   *seam.Seam
	script *script // the client's stream
	told   *gateway.Attempt
	write  func(*wire.Event)

	block   wire.BlockType // that is open upstream
	joining bool           // it is the first text, which goes on
	joined  bool           // it has been there
	removed int
	out     []byte
	ev      wire.Event
	err     error
}

// pass takes an event of the upstream's.
func (j *joiner) pass(ev *wire.Event) {
	hidden := j.block == wire.ThinkingBlock || j.block == wire.RedactedBlock
	switch ev.Kind {
	case wire.EventStart:
	case wire.EventBlock:
		j.opened(ev)
	case wire.EventDelta:
		switch {
		case hidden:
			j.told.Thought(ev.Text)
		case j.joining:
			if j.out, j.err = j.seam.Add(j.out[:0], ev.Text); j.err == nil {
				j.show()
			}
		default:
			j.numbered(ev)
		}
	case wire.EventSignature, wire.EventCitation:
		// Those of text that goes on are of a text that the client has not.
		if !hidden && !j.joining {
			j.numbered(ev)
		}
	case wire.EventBlockEnd:
		if j.joining {
			j.out = j.seam.End(j.out[:0])
			j.show()
			j.joining = false
			j.shut()
		} else if !hidden {
			j.numbered(ev)
		}
		j.block = wire.TextBlock
	case wire.EventUsage:
		report := *ev.Usage
		report.Usage = j.told.Answer().Usage
		j.write(&wire.Event{Kind: wire.EventUsage, Usage: &report})
	case wire.EventFinish:
		j.shut()
		j.write(ev)
	default:
		j.write(ev)
	}
}

// opened takes the beginning of a block.
func (j *joiner) opened(ev *wire.Event) {
	switch j.block = ev.Block; {
	case ev.Block == wire.ThinkingBlock || ev.Block == wire.RedactedBlock:
	case ev.Block == wire.TextBlock && !j.joined:
		j.joining, j.joined = true, true
	default:
		j.shut()
		next := *ev
		next.Index = j.script.index + 1
		j.write(&next)
	}
}

// show goes on with the client's text by what the seam has let through.
func (j *joiner) show() {
	removed := j.seam.Removed()
	j.told.Repeated(removed[j.removed:])
	j.removed = len(removed)
	if len(j.out) == 0 {
		return
	}
	if !j.script.open {
		j.write(&wire.Event{Kind: wire.EventBlock, Block: wire.TextBlock, Index: j.script.index + 1})
	}
	j.ev = wire.Event{Kind: wire.EventDelta, Text: j.out}
	j.numbered(&j.ev)
}

// shut closes the client's block, if one is open.
func (j *joiner) shut() {
	if j.script.open {
		j.write(&wire.Event{Kind: wire.EventBlockEnd, Index: j.script.index})
	}
}

// numbered writes an event of the block that is open.
func (j *joiner) numbered(ev *wire.Event) {
	own := *ev
	own.Index = j.script.index
	j.write(&own)
}
