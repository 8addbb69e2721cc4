package wire

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// pieceSize is the size in bytes of the pieces of a text: some words, so that a
// client can show it as it grows and it does not become much larger by that.
const pieceSize = 64

// Tell gives a whole answer as the events of a stream. Every text comes in
// pieces of whole characters. Media has no events: the caller sees to it that
// there is none. emit must not keep the event, or its bytes.
func Tell(res *Response, emit func(*Event)) {
	t := teller{emit: emit}
	t.send(Event{Kind: EventStart, ID: res.ID, Model: res.Model, Created: res.Created})
	if res.Failure != nil {
		t.send(Event{Kind: EventFail, Failure: res.Failure})
		return
	}
	for i := range res.Choices {
		t.choice(&res.Choices[i])
	}
	if report := res.Usage; report.Reported {
		if report.ServiceTier == "" {
			report.ServiceTier = res.ServiceTier
		}
		t.send(Event{Kind: EventUsage, Usage: &report})
	}
	t.send(Event{Kind: EventEnd})
}

// teller tells one answer.
type teller struct {
	emit   func(*Event)
	ev     Event
	at     Event // Choice and Index of the block at hand
	piece  []byte
	tokens tokenProbs
	probs  []byte
}

func (t *teller) send(ev Event) {
	t.ev = ev
	t.emit(&t.ev)
}

// in sends an event of the block at hand.
func (t *teller) in(ev Event) {
	ev.Choice, ev.Index = t.at.Choice, t.at.Index
	t.send(ev)
}

func (t *teller) choice(c *Choice) {
	first, last := said(c)
	aligned := c.LogProbs != "" && t.tokens.read(c.LogProbs) && t.tokens.cover(c.Blocks)
	for i := range c.Blocks {
		b := &c.Blocks[i]
		t.at = Event{Choice: c.Index, Index: i}
		t.open(b)
		switch {
		case b.Call != nil:
			t.text(b.Call.Arguments)
		case aligned && b.Type == TextBlock:
			t.spoken(b.Text)
		case c.LogProbs != "" && !aligned && i == first:
			t.delta(b.Text, []byte(c.LogProbs)) // nobody knows what stands where
		default:
			t.text(b.Text)
		}
		if aligned && i == last && len(t.tokens.list) > 0 {
			t.probs = t.tokens.append(t.probs[:0], 0)
			t.delta("", t.probs)
		}
		for j := range b.Citations {
			t.in(Event{Kind: EventCitation, Citation: &b.Citations[j]})
		}
		if b.Call == nil && (b.Signature != "" || b.ID != "") {
			t.in(Event{Kind: EventSignature, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
		}
		t.in(Event{Kind: EventBlockEnd})
	}
	t.send(Event{Kind: EventFinish, Choice: c.Index, Finish: c.Finish, Native: c.Native, StopString: c.StopString, Explanation: c.Explanation})
}

// said are the first and the last block that log probabilities may be of; -1
// when there is none.
func said(c *Choice) (first, last int) {
	first, last = -1, -1
	for i := range c.Blocks {
		if t := c.Blocks[i].Type; t == TextBlock || t == RefusalBlock {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	return first, last
}

// open opens a block. The signature of a call comes before its arguments, where
// dialects need it.
func (t *teller) open(b *Block) {
	ev := Event{Kind: EventBlock, Block: b.Type, Raw: b.Raw}
	switch {
	case b.Call == nil:
		if b.Type == RawBlock {
			ev.Vendor = b.Vendor
		}
		t.in(ev)
	default:
		ev.ID, ev.Name, ev.Custom = b.Call.ID, b.Call.Name, b.Call.Custom
		ev.Signature, ev.Vendor = b.Signature, b.Vendor
		t.in(ev)
		if b.Signature != "" {
			t.in(Event{Kind: EventSignature, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
		}
	}
}

// text tells a text in pieces.
func (t *teller) text(text string) {
	for piece := range Pieces(text) {
		t.delta(piece, nil)
	}
}

func (t *teller) delta(text string, probs []byte) {
	t.piece = append(t.piece[:0], text...)
	t.in(Event{Kind: EventDelta, Text: t.piece, LogProbs: probs})
}

// spoken tells a text token by token, with their log probabilities.
func (t *teller) spoken(text string) {
	for text != "" {
		size, n := t.tokens.next(text)
		t.probs = t.tokens.append(t.probs[:0], n)
		t.delta(text[:size], t.probs)
		text = text[size:]
	}
}

// Pieces cuts a text into what a stream gives at a time: whole characters and,
// where there are spaces, whole words.
func Pieces(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			n := cut(text)
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}

// cut is where the first piece of text ends: behind a space if there is one
// late enough, and never inside of a character.
func cut(text string) int {
	if len(text) <= pieceSize {
		return len(text)
	}
	if i := strings.LastIndexByte(text[:pieceSize], ' '); i >= pieceSize/2 {
		return i + 1
	}
	for n := pieceSize; n > pieceSize-utf8.UTFMax; n-- {
		if atRune(text, n) {
			return n
		}
	}
	return pieceSize // it is no text
}

// atRune reports whether a character begins at i, or the text ends.
func atRune(text string, i int) bool { return i == len(text) || utf8.RuneStart(text[i]) }
