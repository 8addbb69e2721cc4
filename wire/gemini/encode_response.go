package gemini

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// encodeResponse appends a GenerateContentResponse, or an error.
func encodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	if res.Failure != nil {
		return append(dst, wire.ErrorBody(wire.Gemini, res.Failure)...)
	}
	w := jsonw.Writer{B: append(dst, '{')}
	if word, ok := blocked(res); ok {
		writeFeedback(&w, word, res.Choices[0].Explanation)
	} else {
		w.Key("candidates")
		w.Array()
		made := 0
		for i := range res.Choices {
			writeChoice(&w, &res.Choices[i], reply, &made)
		}
		w.EndArray()
	}
	if res.Usage.Reported {
		writeUsage(&w, &res.Usage)
	}
	writeNames(&w, res.Model, res.ID, reply)
	w.End()
	return w.B
}

// blocked reports whether the answer is one that policy left without content.
func blocked(res *wire.Response) (word string, ok bool) {
	if len(res.Choices) != 1 || len(res.Choices[0].Blocks) > 0 || res.Choices[0].Finish != wire.FinishPolicy {
		return "", false
	}
	return blockReason(res.Choices[0].Native)
}

func writeFeedback(w *jsonw.Writer, word, explanation string) {
	w.Key("promptFeedback")
	w.Object()
	w.Str("blockReason", word)
	w.StrIf("blockReasonMessage", explanation)
	w.End()
}

func writeNames(w *jsonw.Writer, model, id string, reply *wire.Reply) {
	model, id = names(model, id, reply)
	w.StrIf("modelVersion", model)
	w.StrIf("responseId", id)
}

// names are an answer's own, where the upstream gave some.
func names(model, id string, reply *wire.Reply) (ownModel, ownID string) {
	if model == "" {
		model = reply.Model
	}
	if id == "" {
		id = reply.ID
	}
	return model, id
}

func writeChoice(w *jsonw.Writer, c *wire.Choice, reply *wire.Reply, made *int) {
	w.Object()
	w.Key("content")
	w.Object()
	w.Key("parts")
	w.Array()
	var cited []placed
	var texts []string
	for i := range c.Blocks {
		b := &c.Blocks[i]
		if !writePart(w, b, reply, made) {
			continue
		}
		for _, citation := range b.Citations {
			cited = append(cited, placed{Citation: citation, part: len(texts), size: len(b.Text)})
		}
		texts = append(texts, b.Text)
	}
	if len(texts) == 0 { // SDKs expect a part
		w.Object()
		w.Str("text", "")
		w.End()
	}
	w.EndArray()
	w.Str("role", "model")
	w.End()
	w.StrIf("finishReason", finishWord(c.Finish, c.Native))
	w.Num("index", int64(c.Index))
	writeGrounding(w, cited, func(part int) string { return texts[part] })
	if c.LogProbs != "" {
		writeLogProbs(w, []byte(c.LogProbs))
	}
	w.StrIf("finishMessage", c.Explanation)
	w.End()
}

// writePart writes a block as a part; false when Gemini has none for it.
func writePart(w *jsonw.Writer, b *wire.Block, reply *wire.Reply, made *int) bool {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock:
		if b.Text == "" && b.Signature == "" {
			return false
		}
		w.Object()
		w.Str("text", b.Text)
		if b.Type == wire.ThinkingBlock {
			w.Flag("thought", true)
		}
		w.StrIf("thoughtSignature", heldSignature(b.Type, b.Vendor, b.ID, b.Signature))
		w.End()
	case wire.RedactedBlock:
		w.Object()
		w.Str("text", "")
		w.Flag("thought", true)
		w.StrIf("thoughtSignature", heldSignature(b.Type, b.Vendor, b.ID, b.Signature))
		w.End()
	case wire.CallBlock:
		id := b.Call.ID
		if id == "" {
			id = callID(reply, made)
		}
		arguments := b.Call.Arguments
		if b.Call.Custom {
			arguments = wire.WrapCustom(arguments)
		}
		writeCall(w, id, b.Call.Name, wire.ArgumentsObject(arguments), heldSignature(b.Type, b.Vendor, b.ID, b.Signature))
	case wire.ImageBlock, wire.AudioBlock, wire.VideoBlock, wire.DocumentBlock:
		if b.Media == nil || b.Media.Data == "" {
			return false
		}
		w.Object()
		w.Key("inlineData")
		w.Object()
		w.StrIf("mimeType", b.Media.MIME)
		w.StrIf("displayName", b.Media.Name)
		w.Str("data", b.Media.Data)
		w.End()
		w.StrIf("thoughtSignature", heldSignature(b.Type, b.Vendor, b.ID, b.Signature))
		w.End()
	case wire.RawBlock:
		if b.Vendor != wire.VendorGemini {
			return false
		}
		w.Raw(compact([]byte(b.Raw)))
	default:
		return false
	}
	return true
}

// heldSignature is the signature as a client of Gemini keeps it.
func heldSignature(t wire.BlockType, from wire.Vendor, id, signature string) string {
	if signature == "" {
		return ""
	}
	if t == wire.RedactedBlock {
		return wire.Seal(from, redacted+id, signature)
	}
	return wire.SignatureFor(wire.VendorGemini, from, id, signature)
}

func writeCall(w *jsonw.Writer, id, name, arguments, signature string) {
	w.Object()
	w.Key("functionCall")
	w.Object()
	w.StrIf("id", id)
	w.Str("name", name)
	w.Key("args")
	w.B = wire.AppendCompact(w.B, []byte(arguments))
	w.End()
	w.StrIf("thoughtSignature", signature)
	w.End()
}

// callID is an id for a call that came without one.
func callID(reply *wire.Reply, made *int) string {
	id := "call_" + reply.ID + "_" + strconv.Itoa(*made)
	*made++
	return id
}
