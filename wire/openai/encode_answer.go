package openai

import (
	"unicode/utf8"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

func (w *answerWriter) message(c *wire.Choice, refused *bool) {
	var text, refusal []byte
	var said, thought, called bool
	var signed *wire.Block
	for i := range c.Blocks {
		switch b := &c.Blocks[i]; b.Type {
		case wire.TextBlock:
			text, said = append(text, b.Text...), true
			if b.Signature != "" {
				signed = b
			}
		case wire.RefusalBlock:
			refusal, *refused = append(refusal, b.Text...), true
		case wire.ThinkingBlock, wire.RedactedBlock:
			thought = true
		case wire.CallBlock:
			called = true
		}
	}
	if !said && len(refusal) == 0 && c.Finish == wire.FinishPolicy {
		refusal = append(refusal, c.Explanation...)
	}
	w.Object()
	w.Str("role", "assistant")
	w.Key("content")
	if said || !called && len(refusal) == 0 && c.Finish != wire.FinishTools {
		w.Text(text)
	} else {
		w.Null()
	}
	w.Key("refusal")
	if len(refusal) > 0 {
		w.Text(refusal)
	} else {
		w.Null()
	}
	if thought {
		w.thinking(c.Blocks)
	}
	w.annotations(c.Blocks)
	w.media(c.Blocks)
	if called {
		w.toolCalls(c.Blocks)
	}
	if signed != nil {
		writeGoogle(&w.Writer, signed)
	}
	w.End()
}

// thinking writes what was thought twice: as text, which most clients show,
// and with its signatures, which some send back.
func (w *answerWriter) thinking(blocks []wire.Block) {
	var text []byte
	signed := false
	for i := range blocks {
		if b := &blocks[i]; b.Type == wire.ThinkingBlock || b.Type == wire.RedactedBlock {
			text = append(text, b.Text...)
			signed = signed || b.Signature != ""
		}
	}
	if len(text) > 0 {
		w.Key("reasoning_content")
		w.Text(text)
	}
	if !signed {
		return
	}
	w.Key("reasoning_details")
	w.Array()
	index := int64(0)
	for i := range blocks {
		if b := &blocks[i]; b.Type == wire.ThinkingBlock || b.Type == wire.RedactedBlock {
			writeDetail(&w.Writer, b, index)
			index++
		}
	}
	w.EndArray()
}

// annotations writes citations, which count characters of the whole content.
func (w *answerWriter) annotations(blocks []wire.Block) {
	w.Key("annotations")
	w.Array()
	before := int64(0)
	for i := range blocks {
		b := &blocks[i]
		if b.Type != wire.TextBlock {
			continue
		}
		for j := range b.Citations {
			writeAnnotation(&w.Writer, &b.Citations[j], before)
		}
		before += int64(utf8.RuneCountInString(b.Text))
	}
	w.EndArray()
}

func writeAnnotation(w *jsonw.Writer, c *wire.Citation, before int64) {
	start, end := c.Start, c.End
	if end > 0 {
		start, end = start+before, end+before
	}
	w.Object()
	w.Str("type", "url_citation")
	w.Key("url_citation")
	w.Object()
	w.Num("start_index", start)
	w.Num("end_index", end)
	w.Str("url", c.URL)
	w.Str("title", c.Title)
	w.StrIf("content", c.Text) // OpenRouter's
	w.End()
	w.End()
}

// media writes a spoken answer as OpenAI does, and images as OpenRouter does.
func (w *answerWriter) media(blocks []wire.Block) {
	images := false
	for i := range blocks {
		switch b := &blocks[i]; b.Type {
		case wire.AudioBlock:
			id := b.Media.FileID
			if id == "" {
				id = "audio_" + w.reply.ID
			}
			w.Key("audio")
			w.Object()
			w.Str("id", id)
			w.Num("expires_at", w.reply.Created)
			w.Str("data", b.Media.Data)
			w.Str("transcript", b.Media.Text)
			w.End()
		case wire.ImageBlock:
			images = true
		}
	}
	if !images {
		return
	}
	w.Key("images")
	w.Array()
	for i := range blocks {
		if b := &blocks[i]; b.Type == wire.ImageBlock {
			url := b.Media.URL
			if b.Media.Data != "" {
				url = "data:" + b.Media.MIME + ";base64," + b.Media.Data
			}
			w.Object()
			w.Str("type", "image_url")
			w.Key("image_url")
			w.Object()
			w.Str("url", url)
			w.End()
			w.End()
		}
	}
	w.EndArray()
}

func (w *answerWriter) toolCalls(blocks []wire.Block) {
	if !w.legacy {
		w.Key("tool_calls")
		w.Array()
	}
	for i := range blocks {
		b := &blocks[i]
		if b.Type != wire.CallBlock {
			continue
		}
		if w.legacy { // functions are called one at a time
			w.Key("function_call")
			w.Object()
			w.Str("name", b.Call.Name)
			w.Str("arguments", arguments(b.Call))
			w.End()
			return
		}
		w.call(b)
	}
	w.EndArray()
}

func (w *answerWriter) call(b *wire.Block) {
	id := b.Call.ID
	if id == "" {
		id = callID(w.reply, w.calls)
	}
	w.calls++
	w.Object()
	w.Str("id", signedID(id, b.Vendor, b.Signature))
	if b.Call.Custom {
		w.Str("type", "custom")
		w.Key("custom")
		w.Object()
		w.Str("name", b.Call.Name)
		w.Str("input", b.Call.Arguments)
	} else {
		w.Str("type", "function")
		w.Key("function")
		w.Object()
		w.Str("name", b.Call.Name)
		w.Str("arguments", arguments(b.Call))
	}
	w.End()
	if b.Signature != "" {
		writeGoogle(&w.Writer, b)
	}
	w.End()
}

// arguments are never empty: clients parse them.
func arguments(c *wire.Call) string {
	if c.Arguments == "" {
		return "{}"
	}
	return c.Arguments
}

// writeGoogle writes a signature of a call or a text into the carrier that
// Google gave it.
func writeGoogle(w *jsonw.Writer, b *wire.Block) {
	w.Key("extra_content")
	w.Object()
	w.Key("google")
	w.Object()
	w.Str("thought_signature", wire.SignatureFor(wire.VendorGemini, b.Vendor, b.ID, b.Signature))
	w.End()
	w.End()
}
