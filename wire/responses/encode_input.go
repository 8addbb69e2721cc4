package responses

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/weirproxy/weir/wire"
)

const where = "OpenAI's Responses API"

// input writes the conversation as items, after what the instructions do not
// hold of the system's texts.
func (w *requestWriter) input(system []wire.Block) {
	if len(system) > 0 {
		w.message("system", system)
	}
	for i := range w.req.Messages {
		for j := range w.req.Messages[i].Blocks {
			if b := &w.req.Messages[i].Blocks[j]; b.Type == wire.CallBlock && b.Call.Custom {
				if w.custom == nil {
					w.custom = make(map[string]bool)
				}
				w.custom[b.Call.ID] = true
			}
		}
	}
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		role := "user"
		switch m.Role {
		case wire.RoleAssistant:
			role = "assistant"
		case wire.RoleSystem:
			role = "system"
		}
		w.items(role, m.Blocks)
	}
}

// items writes a message's blocks: neighbours that are content as one message
// item, each of the others as an item of its own.
func (w *requestWriter) items(role string, blocks []wire.Block) {
	from := 0
	content := func(to int) {
		if to > from {
			w.message(role, blocks[from:to])
		}
		from = to + 1
	}
	for i := range blocks {
		b := &blocks[i]
		switch b.Type {
		case wire.CallBlock:
			content(i)
			w.call(b)
		case wire.ResultBlock:
			content(i)
			w.result(b)
		case wire.ThinkingBlock, wire.RedactedBlock:
			content(i)
			w.thinking(b)
		case wire.RawBlock:
			content(i)
			if b.Vendor != wire.VendorOpenAI || !w.own {
				w.fail(wire.Unmappable("messages", "a "+b.Name()+" block of another vendor", where))
				return
			}
			w.Raw(b.Raw)
		default:
			if b.Signature != "" {
				w.loss.Drop("thinking")
			}
		}
	}
	content(len(blocks))
}

// message writes one message item. A single text goes as a string, which every
// compatible server takes.
func (w *requestWriter) message(role string, blocks []wire.Block) {
	w.Object()
	w.Str("type", "message")
	w.Str("role", role)
	w.Key("content")
	w.content(role, blocks)
	w.End()
}

func (w *requestWriter) content(role string, blocks []wire.Block) {
	if len(blocks) == 1 {
		b := &blocks[0]
		if b.Type == wire.TextBlock && !(w.own && len(b.Citations) > 0) && !w.marked(b) {
			w.citations(b)
			w.String(b.Text)
			return
		}
	}
	w.Array()
	for i := range blocks {
		w.part(role, &blocks[i])
	}
	w.EndArray()
}

func (w *requestWriter) part(role string, b *wire.Block) {
	if role != "user" && b.Media != nil {
		w.fail(wire.Unmappable("messages", "an attachment in an answer", where))
		return
	}
	w.Object()
	switch b.Type {
	case wire.TextBlock:
		if role == "assistant" {
			w.Str("type", "output_text")
		} else {
			w.Str("type", "input_text")
		}
		w.Str("text", b.Text)
		w.citations(b)
	case wire.RefusalBlock:
		w.Str("type", "refusal")
		w.Str("refusal", b.Text)
	case wire.ImageBlock:
		w.Str("type", "input_image")
		w.StrIf("detail", b.Media.Detail)
		w.media(b.Media, "image_url", "image_url", "image/png")
	case wire.DocumentBlock:
		w.document(b.Media)
	case wire.AudioBlock:
		if !w.own {
			w.fail(wire.Unmappable("messages", "audio", where))
		}
		w.Str("type", "input_audio")
		w.Key("input_audio")
		w.Object()
		w.Str("data", b.Media.Data)
		w.Str("format", audioFormat(b.Media.MIME))
		w.End()
	default:
		w.fail(wire.Unmappable("messages", b.Type.String(), where))
	}
	if w.marked(b) {
		w.RawMember("prompt_cache_breakpoint", `{"mode":"explicit"}`)
	}
	w.End()
}

// marked reports whether to write a cache mark, which older models refuse.
func (w *requestWriter) marked(b *wire.Block) bool {
	if b.Cache == nil {
		return false
	}
	if !w.own && !w.ability.Breakpoints {
		w.loss.Drop("cache_control")
		return false
	}
	w.longTTL = w.longTTL || b.Cache.TTL == "1h"
	return true
}

func (w *requestWriter) citations(b *wire.Block) {
	if len(b.Citations) == 0 {
		return
	}
	if !w.own {
		w.loss.Drop("citations")
		return
	}
	w.Key("annotations")
	w.Array()
	for i := range b.Citations {
		writeCitation(&w.Writer, &b.Citations[i])
	}
	w.EndArray()
}

// media writes where an attachment is, or what it is.
func (w *requestWriter) media(m *wire.Media, url, data, mime string) {
	if m.FileID != "" {
		if w.req.Dialect != wire.OpenAI {
			w.fail(wire.Unmappable("messages", "a file that another vendor keeps", where))
		}
		w.Str("file_id", m.FileID)
	}
	switch {
	case m.URL != "":
		w.Str(url, m.URL)
	case m.Data != "":
		if m.MIME != "" || w.own {
			mime = m.MIME
		}
		w.Str(data, "data:"+mime+";base64,"+m.Data)
	}
}

func (w *requestWriter) document(m *wire.Media) {
	if m.Cite {
		w.loss.Drop("citations")
	}
	if text := m.Text; text != "" {
		if m.Name != "" {
			text = m.Name + ":\n" + text
		}
		w.Str("type", "input_text")
		w.Str("text", text)
		return
	}
	w.Str("type", "input_file")
	name := m.Name
	if name == "" && m.Data != "" && !w.own {
		name = "document" // OpenAI demands a name with data
		if m.MIME == "application/pdf" || m.MIME == "" {
			name += ".pdf"
		}
	}
	w.StrIf("filename", name)
	if w.own {
		w.StrIf("detail", m.Detail)
	}
	w.media(m, "file_url", "file_data", "application/pdf")
}

// thinking writes a reasoning item. Only the vendor's own encrypted reasoning
// goes out, and what a client of this dialect refers to by its id.
func (w *requestWriter) thinking(b *wire.Block) {
	if b.Vendor != wire.VendorOpenAI && !(w.own && b.Signature == "") {
		w.loss.Drop("thinking")
		return
	}
	w.Object()
	w.Str("type", "reasoning")
	w.StrIf("id", b.ID)
	w.Key("summary")
	w.Array()
	if b.Text != "" {
		writeSummary(&w.Writer, b.Text)
	}
	w.EndArray()
	w.StrIf("encrypted_content", b.Signature)
	w.End()
}

func (w *requestWriter) call(b *wire.Block) {
	if b.Signature != "" {
		w.loss.Drop("thinking") // another vendor's proof
	}
	w.Object()
	if b.Call.Custom {
		w.Str("type", "custom_tool_call")
	} else {
		w.Str("type", "function_call")
	}
	w.Str("call_id", w.callID(b.Call.ID))
	w.Str("name", b.Call.Name)
	switch {
	case b.Call.Custom:
		w.Str("input", b.Call.Arguments)
	case b.Call.Arguments == "" && !w.own:
		w.Str("arguments", "{}")
	default:
		w.Str("arguments", b.Call.Arguments)
	}
	w.End()
}

// result writes a tool's answer. There is no member for errors: the text says
// what went wrong.
func (w *requestWriter) result(b *wire.Block) {
	r := b.Result
	w.Object()
	if r.Custom || w.custom[r.CallID] && !w.own {
		w.Str("type", "custom_tool_call_output")
	} else {
		w.Str("type", "function_call_output")
	}
	w.Str("call_id", w.callID(r.CallID))
	w.Key("output")
	if len(r.Content) == 0 {
		w.String("")
	} else {
		w.content("user", r.Content)
	}
	w.End()
}

// callID is an id that OpenAI takes, the same for a call and its result.
func (w *requestWriter) callID(id string) string {
	if len(id) <= maxID || w.own {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:16])
}
