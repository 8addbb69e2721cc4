package openai

import (
	"encoding/base64"
	"strconv"

	"github.com/weirproxy/weir/wire"
)

// where names this dialect in messages to clients.
const where = "Chat Completions"

func (w *requestWriter) messages() {
	if len(w.req.System) > 0 {
		w.text("system", w.req.System)
	}
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		switch m.Role {
		case wire.RoleSystem:
			w.text("system", m.Blocks)
		case wire.RoleAssistant:
			w.assistant(i, m.Blocks)
		default:
			w.userTurn(i, m.Blocks)
		}
	}
}

// text writes a message that holds text alone.
func (w *requestWriter) text(role string, blocks []wire.Block) {
	w.Object()
	w.Str("role", role)
	w.Key("content")
	w.content(blocks, role)
	w.End()
}

// content writes text and media: a string where that says it all, since many
// servers take no parts in most roles. Only what this dialect sent as parts
// stays apart.
func (w *requestWriter) content(blocks []wire.Block, param string) {
	plain := !w.own || len(blocks) <= 1
	for i := range blocks {
		b := &blocks[i]
		plain = plain && b.Type == wire.TextBlock && (b.Cache == nil || w.markForm() == "") && (b.Signature == "" || !w.own)
	}
	if plain {
		for i := range blocks {
			w.blockMark(blocks[i].Cache) // notes the loss
		}
		wire.WriteText(&w.Writer, blocks)
		return
	}
	w.Array()
	for i := range blocks {
		w.part(&blocks[i], param+".content["+strconv.Itoa(i)+"]")
	}
	w.EndArray()
}

func (w *requestWriter) part(b *wire.Block, param string) {
	m := b.Media
	switch b.Type {
	case wire.TextBlock:
		w.textPart(b.Text, b)
	case wire.RefusalBlock:
		w.Object()
		w.Str("type", "refusal")
		w.Str("refusal", b.Text)
		w.end(b)
	case wire.ImageBlock:
		if m.Data == "" && m.URL == "" {
			w.fail(param, "an image that another vendor keeps")
			return
		}
		w.Object()
		w.Str("type", "image_url")
		w.Key("image_url")
		w.Object()
		w.mediaURL("url", m)
		w.StrIf("detail", m.Detail)
		w.End()
		w.end(b)
	case wire.DocumentBlock:
		w.document(b, param)
	case wire.AudioBlock:
		if m.Data == "" {
			w.fail(param, "audio that is not inline")
			return
		}
		w.Object()
		w.Str("type", "input_audio")
		w.Key("input_audio")
		w.Object()
		w.Str("data", m.Data)
		w.Str("format", audioFormat(m.MIME))
		w.End()
		w.end(b)
	case wire.VideoBlock:
		if !w.own {
			w.fail(param, "video")
			return
		}
		w.Object()
		w.Str("type", "video_url")
		w.Key("video_url")
		w.Object()
		w.mediaURL("url", m)
		w.End()
		w.end(b)
	case wire.RawBlock:
		if !w.own || b.Vendor != wire.VendorOpenAI {
			w.fail(param, "a "+b.Name()+" block of another vendor")
			return
		}
		w.Raw(b.Raw)
	default:
		w.fail(param, "a "+b.Type.String()+" block in this place")
	}
}

func (w *requestWriter) textPart(text string, b *wire.Block) {
	w.Object()
	w.Str("type", "text")
	w.Str("text", text)
	if w.own && b.Signature != "" {
		writeGoogle(&w.Writer, b)
	}
	w.end(b)
}

// document writes a file part; one that is plain text becomes text, since
// OpenAI takes no text files.
func (w *requestWriter) document(b *wire.Block, param string) {
	m := b.Media
	if text, ok := plainText(m); ok && !w.own {
		if m.Name != "" {
			text = m.Name + ":\n" + text
		}
		w.textPart(text, b)
		return
	}
	switch {
	case m.FileID != "" && w.req.Dialect != wire.OpenAI:
		w.fail(param, "a file that another vendor keeps")
		return
	case m.FileID == "" && m.Data == "" && (m.URL == "" || !w.own):
		w.fail(param, "a document by its URL")
		return
	}
	w.Object()
	w.Str("type", "file")
	w.Key("file")
	w.Object()
	if m.FileID != "" {
		w.Str("file_id", m.FileID)
		w.StrIf("filename", m.Name)
	} else {
		name := m.Name
		if name == "" && !w.own {
			name = "document.pdf" // demanded with data
		}
		w.StrIf("filename", name)
		w.mediaURL("file_data", m)
	}
	w.End()
	w.end(b)
}

// plainText is the text of a document that is nothing but text.
func plainText(m *wire.Media) (string, bool) {
	if m.Text != "" {
		return m.Text, true
	}
	if m.Data == "" || len(m.MIME) < 5 || m.MIME[:5] != "text/" {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(m.Data)
	return string(text), err == nil
}

func (w *requestWriter) mediaURL(name string, m *wire.Media) {
	url := m.URL
	if m.Data != "" || url == "" {
		url = "data:" + m.MIME + ";base64," + m.Data
	}
	w.Str(name, url)
}

// end closes a part, with its cache mark.
func (w *requestWriter) end(b *wire.Block) {
	w.blockMark(b.Cache)
	w.End()
}

func (w *requestWriter) fail(param, what string) {
	if w.err == nil {
		w.err = wire.Unmappable(param, what, where)
	}
}

// userTurn writes the results of tools, each a message, and then what else the
// user said. Tool messages hold text only: media of results goes first into
// the message that follows them.
func (w *requestWriter) userTurn(index int, blocks []wire.Block) {
	var moved []wire.Block
	at := 0
	for ; at < len(blocks) && blocks[at].Type == wire.ResultBlock; at++ {
		moved = w.result(&blocks[at], moved)
	}
	blocks = blocks[at:]
	if len(moved) > 0 {
		blocks = append(moved, blocks...)
	}
	if len(blocks) == 0 {
		return
	}
	w.Object()
	w.Str("role", "user")
	w.Key("content")
	w.content(blocks, "messages["+strconv.Itoa(index)+"]")
	w.End()
}

func (w *requestWriter) result(b *wire.Block, moved []wire.Block) []wire.Block {
	r := b.Result
	content := r.Content
	if !w.own {
		content = nil
		for _, c := range r.Content {
			if c.Type == wire.TextBlock {
				content = append(content, c)
			} else {
				moved = append(moved, c)
			}
		}
	}
	if len(content) == 0 && !w.own {
		text := "(no output)"
		switch {
		case len(moved) > 0:
			text = "(the output is attached below)"
		case r.IsError:
			text = "(the tool failed)"
		}
		content = []wire.Block{{Text: text}}
	}
	if n := len(content); n > 0 && b.Cache != nil {
		marked := append([]wire.Block(nil), content...)
		marked[n-1].Cache = b.Cache
		content = marked
	}
	w.Object()
	w.Str("role", "tool")
	w.Str("tool_call_id", w.callID(r.CallID))
	w.Key("content")
	w.content(content, "tool")
	w.End()
	return moved
}
