package responses

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EncodeResponse writes a whole response object. The dialect has one answer
// per response, so only the first choice is written.
func (Codec) EncodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	e := newEnvelope(reply, res.ID, res.Model, res.Created)
	tier := res.ServiceTier
	if tier == "" {
		tier = res.Usage.ServiceTier
	}
	out := outputWriter{reply: reply}
	o := outcome{status: "completed"}
	switch {
	case res.Failure != nil:
		o = outcome{status: "failed", failure: res.Failure}
	case len(res.Choices) > 0:
		c := &res.Choices[0]
		refused := false
		for i := range c.Blocks {
			refused = refused || c.Blocks[i].Type == wire.RefusalBlock
		}
		o = outcomeOf(c.Finish, c.Native, refused)
		out.blocks(c, o.status)
	}
	w := jsonw.Writer{B: dst}
	e.write(&w, o, out.B, &res.Usage, tier)
	return w.B
}

// outputWriter writes the items of a whole answer.
type outputWriter struct {
	jsonw.Writer
	reply *wire.Reply
	n     int // items so far
	doc   wire.Doc
}

func (w *outputWriter) next(prefix string) string {
	id := itemID(prefix, w.reply, w.n)
	w.n++
	return id
}

func (w *outputWriter) blocks(c *wire.Choice, status string) {
	if status != "incomplete" {
		status = "completed"
	}
	logprobs := appendLogProbs(nil, &w.doc, []byte(c.LogProbs))
	parts := jsonw.Writer{}
	flush := func(status string) {
		if len(parts.B) > 0 {
			writeMessage(&w.Writer, w.next("msg"), status, parts.B)
			parts.B = parts.B[:0]
		}
	}
	for i := range c.Blocks {
		b := &c.Blocks[i]
		switch b.Type {
		case wire.TextBlock, wire.RefusalBlock:
			if len(parts.B) > 0 {
				parts.B = append(parts.B, ',')
			}
			var notes jsonw.Writer
			for j := range b.Citations {
				writeCitation(&notes, &b.Citations[j])
			}
			writePart(&parts, b.Type == wire.RefusalBlock, []byte(b.Text), notes.B, logprobs)
			if b.Type == wire.TextBlock {
				logprobs = nil
			}
			if b.Signature != "" && b.Vendor != wire.VendorOpenAI {
				flush("completed")
				w.carrier(b, carrierText)
			}
		case wire.ThinkingBlock, wire.RedactedBlock:
			flush("completed")
			id := w.next("rs")
			if b.Vendor == wire.VendorOpenAI && b.ID != "" {
				id = b.ID
			}
			writeReasoning(&w.Writer, id, "completed", []byte(b.Text), encrypted(b.Vendor, b.ID, b.Signature, b.Type == wire.RedactedBlock))
		case wire.CallBlock:
			flush("completed")
			w.call(b)
		case wire.RawBlock:
			if b.Vendor == wire.VendorOpenAI {
				flush("completed")
				w.n++
				w.Raw(b.Raw)
			}
		}
	}
	flush(status)
}

func (w *outputWriter) call(b *wire.Block) {
	c := call{id: b.Call.ID, name: b.Call.Name, custom: b.Call.Custom}
	n := w.n
	if b.Signature != "" && b.Vendor != wire.VendorOpenAI {
		n++ // after its carrier
	}
	if c.id == "" {
		c.id = itemID("call", w.reply, n)
	}
	if n > w.n {
		w.carrier(b, carrierCall+c.id)
	}
	arguments := b.Call.Arguments
	if c.item = w.next("ctc"); !c.custom {
		c.item = itemID("fc", w.reply, n)
		if arguments == "" {
			arguments = "{}" // clients parse it
		}
	}
	c.write(&w.Writer, c.status([]byte(arguments)), []byte(arguments))
}

func (w *outputWriter) carrier(b *wire.Block, belongs string) {
	writeReasoning(&w.Writer, w.next("rs"), "completed", nil, wire.Seal(b.Vendor, belongs, b.Signature))
}
