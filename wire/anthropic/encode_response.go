package anthropic

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EncodeResponse appends a message. The dialect has one answer, so of several
// the first is told.
func (Codec) EncodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	if res.Failure != nil {
		return wire.AppendAnthropicError(dst, res.Failure)
	}
	choice := new(wire.Choice)
	if len(res.Choices) > 0 {
		choice = &res.Choices[0]
	}
	w := &jsonw.Writer{B: dst}
	w.Object()
	w.Str("id", messageID(res.ID, reply))
	w.Str("type", "message")
	w.Str("role", "assistant")
	w.Str("model", modelName(res.Model, reply))
	w.Key("content")
	w.Array()
	calls, refused := 0, false
	for i := range choice.Blocks {
		b := &choice.Blocks[i]
		if b.Type == wire.CallBlock {
			calls++
		}
		refused = refused || b.Type == wire.RefusalBlock
		answer{w, reply, calls}.block(b)
	}
	w.EndArray()
	writeStop(w, choice, calls > 0, refused)
	writeUsage(w, &res.Usage, res.ServiceTier)
	w.End()
	return w.B
}

// writeStop writes why the answer ended, as whole answers and message_delta
// have it.
func writeStop(w *jsonw.Writer, c *wire.Choice, calls, refused bool) {
	reason := stopReason(c.Finish, calls, refused)
	w.Str("stop_reason", reason)
	w.Key("stop_sequence")
	if reason == "stop_sequence" && c.StopString != "" {
		w.String(c.StopString)
	} else {
		w.Null()
	}
	w.Key("stop_details")
	if reason != "refusal" {
		w.Null()
		return
	}
	w.Object()
	w.Str("type", "refusal")
	w.RawMember("category", "")
	w.Key("explanation")
	if c.Explanation != "" {
		w.String(c.Explanation)
	} else {
		w.Null()
	}
	w.End()
}

// answer writes blocks of an answer. calls counts the calls so far.
type answer struct {
	*jsonw.Writer
	reply *wire.Reply
	calls int
}

func (w answer) block(b *wire.Block) {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock:
		w.Object()
		w.Str("type", "text")
		w.Str("text", b.Text)
		if len(b.Citations) > 0 {
			w.Key("citations")
			w.Array()
			for i := range b.Citations {
				w.citation(&b.Citations[i])
			}
			w.EndArray()
		}
		w.End()
	case wire.ThinkingBlock:
		w.thinking(b.Text, wire.SignatureFor(wire.VendorAnthropic, b.Vendor, b.ID, b.Signature))
	case wire.RedactedBlock:
		w.redacted(wire.SignatureFor(wire.VendorAnthropic, b.Vendor, b.ID, b.Signature))
	case wire.CallBlock:
		if b.Signature != "" && b.Vendor != wire.VendorAnthropic {
			w.thinking("", wire.SignatureFor(wire.VendorAnthropic, b.Vendor, b.ID, b.Signature))
		}
		arguments := b.Call.Arguments
		if b.Call.Custom {
			arguments = wire.WrapCustom(arguments)
		}
		w.call(b.Call.ID, b.Call.Name, wire.ArgumentsObject(arguments))
	case wire.RawBlock:
		if b.Vendor == wire.VendorAnthropic {
			w.Raw(b.Raw)
		}
	case wire.ImageBlock, wire.AudioBlock, wire.VideoBlock, wire.DocumentBlock:
		w.Object()
		w.Str("type", "text")
		w.Str("text", "["+b.Type.String()+" output: the Messages API cannot carry it]")
		w.End()
	}
}

func (w answer) thinking(text, signature string) {
	w.Object()
	w.Str("type", "thinking")
	w.Str("thinking", text)
	w.Str("signature", signature)
	w.End()
}

func (w answer) redacted(data string) {
	w.Object()
	w.Str("type", "redacted_thinking")
	w.Str("data", data)
	w.End()
}

func (w answer) call(id, name, input string) {
	w.Object()
	w.Str("type", "tool_use")
	w.Str("id", callID(id, w.reply, w.calls))
	w.Str("name", name)
	w.RawMember("input", input)
	w.End()
}

// citation writes a source: of the web where it has an address, else of a
// document.
func (w answer) citation(c *wire.Citation) {
	w.Object()
	if c.URL != "" {
		w.Str("type", "web_search_result_location")
		w.Str("cited_text", c.Text)
		w.Str("url", c.URL)
		w.Str("title", c.Title)
		w.Str("encrypted_index", "")
	} else {
		w.Str("type", "char_location")
		w.Str("cited_text", c.Text)
		w.Num("document_index", 0)
		w.Str("document_title", c.Title)
		w.Num("start_char_index", 0)
		w.Num("end_char_index", 0)
		w.Key("file_id")
		w.Null()
	}
	w.End()
}

// messageID is the upstream's id in the vendor's form.
func messageID(id string, reply *wire.Reply) string {
	if id == "" {
		id = reply.ID
	}
	if strings.HasPrefix(id, "msg_") {
		return id
	}
	return "msg_" + id
}

// callID makes the id that some upstreams do not give; n counts from 1.
func callID(id string, reply *wire.Reply, n int) string {
	if id != "" {
		return id
	}
	return "toolu_" + reply.ID + "_" + strconv.Itoa(n-1)
}

func modelName(model string, reply *wire.Reply) string {
	if model == "" {
		return reply.Model
	}
	return model
}
