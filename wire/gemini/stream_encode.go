package gemini

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// streamEncoder writes a stream of GenerateContentResponses: a chunk for every
// piece of text, one for every whole call, and a last one with the reasons to
// finish and the usage.
type streamEncoder struct {
	reply   *wire.Reply
	id      string
	model   string
	usage   wire.Report
	made    int
	choices []*outChoice

	// rest is what stands behind the candidates of every chunk, until the
	// usage changes.
	rest []byte
}

// outChoice is one candidate.
type outChoice struct {
	index  int
	kind   wire.BlockType
	blocks int

	// call and args are of the open call; the signature comes before its end.
	call      wire.Call
	args      []byte
	signature string

	// run is the text of neighbouring text blocks, which Gemini's clients take
	// for one, and base where the open one begins in it.
	run   []byte
	base  int
	cited []placed
	fresh int // index in cited of the first citation of the open block

	finished    bool
	finish      wire.Finish
	native      string
	explanation string
}

func (s *streamEncoder) choice(index int) *outChoice {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	c := &outChoice{index: index}
	s.choices = append(s.choices, c)
	return c
}

// Encode appends the chunk that ev makes.
func (s *streamEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	switch ev.Kind {
	case wire.EventStart:
		s.id, s.model, s.rest = ev.ID, ev.Model, s.rest[:0]
		return dst
	case wire.EventUsage:
		s.usage = *ev.Usage
		s.usage.Reported = true
		s.rest = s.rest[:0]
		return dst
	case wire.EventFail:
		return appendErrorFrame(dst, ev.Failure)
	case wire.EventEnd:
		return s.end(dst)
	}
	c := s.choice(ev.Choice)
	switch ev.Kind {
	case wire.EventBlock:
		return s.block(dst, c, ev)
	case wire.EventDelta:
		return s.delta(dst, c, ev)
	case wire.EventSignature:
		return s.sign(dst, c, ev)
	case wire.EventCitation:
		if c.kind == wire.TextBlock {
			c.cited = append(c.cited, placed{Citation: *ev.Citation, base: c.base})
		}
	case wire.EventBlockEnd:
		return s.blockEnd(dst, c)
	case wire.EventFinish:
		c.finished, c.finish, c.native, c.explanation = true, ev.Finish, ev.Native, ev.Explanation
	}
	return dst
}

// Identify implements wire.Identified.
func (s *streamEncoder) Identify(seen *wire.Seen) {
	seen.Model, seen.ID = names(s.model, s.id, s.reply)
}

// open begins a chunk of one candidate with one part.
func (s *streamEncoder) open(dst []byte) jsonw.Writer {
	return jsonw.Writer{B: append(dst, `data: {"candidates":[{"content":{"parts":[`...)}
}

// shut ends the list of parts and the content.
func (s *streamEncoder) shut(w *jsonw.Writer, c *outChoice) {
	w.B = append(w.B, `],"role":"model"}`...)
	w.Num("index", int64(c.index))
}

// close ends the candidate and the chunk.
func (s *streamEncoder) close(w *jsonw.Writer) []byte {
	w.End()
	w.EndArray()
	return s.tail(w)
}

func (s *streamEncoder) tail(w *jsonw.Writer) []byte {
	if len(s.rest) == 0 {
		rest := jsonw.Writer{B: append(s.rest, '{')}
		if s.usage.Reported {
			writeUsage(&rest, &s.usage)
		}
		writeNames(&rest, s.model, s.id, s.reply)
		rest.End()
		s.rest = append(rest.B, frameEnd...)
	}
	if s.rest[1] != '}' {
		w.B = append(w.B, ',')
	}
	return append(w.B, s.rest[1:]...)
}

func (s *streamEncoder) block(dst []byte, c *outChoice, ev *wire.Event) []byte {
	c.kind = ev.Block
	c.blocks++
	c.signature = ""
	switch ev.Block {
	case wire.TextBlock:
		c.base = len(c.run)
		c.fresh = len(c.cited)
		return dst
	case wire.CallBlock:
		c.call = wire.Call{ID: ev.ID, Name: ev.Name, Custom: ev.Custom}
		c.args = c.args[:0]
	case wire.RawBlock:
		if ev.Vendor == wire.VendorGemini {
			w := s.open(dst)
			w.B = wire.AppendCompact(w.B, []byte(ev.Raw))
			s.shut(&w, c)
			dst = s.close(&w)
		}
	}
	return dst
}

func (s *streamEncoder) delta(dst []byte, c *outChoice, ev *wire.Event) []byte {
	switch c.kind {
	case wire.CallBlock:
		c.args = append(c.args, ev.Text...)
		return dst
	case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock:
	default:
		return dst
	}
	if len(ev.Text) == 0 && len(ev.LogProbs) == 0 {
		return dst
	}
	if c.kind == wire.TextBlock && len(c.run)+len(ev.Text) <= maxRun {
		c.run = append(c.run, ev.Text...)
	}
	w := s.open(dst)
	w.Object()
	w.Key("text")
	w.Text(ev.Text)
	if c.kind == wire.ThinkingBlock {
		w.Flag("thought", true)
	}
	w.End()
	s.shut(&w, c)
	if len(ev.LogProbs) > 0 {
		writeLogProbs(&w, ev.LogProbs)
	}
	return s.close(&w)
}

func (s *streamEncoder) sign(dst []byte, c *outChoice, ev *wire.Event) []byte {
	held := heldSignature(c.kind, ev.Vendor, ev.ID, ev.Signature)
	if held == "" {
		return dst
	}
	switch c.kind {
	case wire.CallBlock:
		c.signature = held
		return dst
	case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock, wire.RedactedBlock:
	default:
		return dst
	}
	w := s.open(dst)
	w.Object()
	w.Str("text", "")
	if c.kind == wire.ThinkingBlock || c.kind == wire.RedactedBlock {
		w.Flag("thought", true)
	}
	w.Str("thoughtSignature", held)
	w.End()
	s.shut(&w, c)
	return s.close(&w)
}

func (s *streamEncoder) blockEnd(dst []byte, c *outChoice) []byte {
	switch c.kind {
	case wire.TextBlock:
		for i := c.fresh; i < len(c.cited); i++ {
			c.cited[i].size = len(c.run) - c.base
		}
	case wire.CallBlock:
		id := c.call.ID
		if id == "" {
			id = callID(s.reply, &s.made)
		}
		arguments := string(c.args)
		if c.call.Custom {
			arguments = wire.WrapCustom(arguments)
		}
		w := s.open(dst)
		writeCall(&w, id, c.call.Name, wire.ArgumentsObject(arguments), c.signature)
		s.shut(&w, c)
		return s.close(&w)
	}
	return dst
}

// end writes the last chunk.
func (s *streamEncoder) end(dst []byte) []byte {
	w := jsonw.Writer{B: append(dst, `data: {`...)}
	if len(s.choices) == 1 && s.choices[0].blocks == 0 && s.choices[0].finish == wire.FinishPolicy {
		if word, ok := blockReason(s.choices[0].native); ok {
			writeFeedback(&w, word, s.choices[0].explanation)
			return s.tail(&w)
		}
	}
	w.Key("candidates")
	w.Array()
	for _, c := range s.choices {
		w.Object()
		w.B = append(w.B, `"content":{"parts":[{"text":""}`...)
		s.shut(&w, c)
		w.StrIf("finishReason", finishWord(c.finish, c.native))
		writeGrounding(&w, c.cited, func(int) string { return string(c.run) })
		w.StrIf("finishMessage", c.explanation)
		w.End()
	}
	w.EndArray()
	return s.tail(&w)
}
