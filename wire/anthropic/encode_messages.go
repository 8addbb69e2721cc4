package anthropic

import (
	"encoding/base64"
	"strings"

	"github.com/weirproxy/weir/wire"
)

func (w *writer) writeMessages() {
	w.Key("messages")
	w.Array()
	for i := range w.messages {
		m := &w.messages[i]
		w.Object()
		switch m.Role {
		case wire.RoleAssistant:
			w.Str("role", "assistant")
		case wire.RoleSystem:
			w.Str("role", "system")
		default:
			w.Str("role", "user")
		}
		w.Key("content")
		w.content(m.Blocks)
		w.End()
	}
	w.EndArray()
}

// content writes a plain text as a string and everything else as blocks.
func (w *writer) content(blocks []wire.Block) {
	if len(blocks) == 1 && blocks[0].Type == wire.TextBlock && blocks[0].Cache == nil {
		w.String(blocks[0].Text)
		return
	}
	w.Array()
	for i := range blocks {
		w.block(&blocks[i])
	}
	w.EndArray()
}

func (w *writer) block(b *wire.Block) {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock:
		w.textBlock(b)
	case wire.ThinkingBlock:
		w.Object()
		w.Str("type", "thinking")
		w.Str("thinking", b.Text)
		w.Str("signature", b.Signature)
		w.End()
	case wire.RedactedBlock:
		w.Object()
		w.Str("type", "redacted_thinking")
		w.Str("data", b.Signature)
		w.End()
	case wire.ImageBlock:
		w.Object()
		w.Str("type", "image")
		w.source(b.Media, b.Media.ImageType())
		w.cacheMark(b.Cache)
		w.End()
	case wire.DocumentBlock:
		w.document(b)
	case wire.CallBlock:
		w.Object()
		w.Str("type", "tool_use")
		w.Str("id", wire.SafeCallID(b.Call.ID))
		w.Str("name", b.Call.Name)
		arguments := b.Call.Arguments
		if b.Call.Custom {
			arguments = wire.WrapCustom(arguments)
		}
		w.RawMember("input", wire.ArgumentsObject(arguments))
		w.cacheMark(b.Cache)
		w.End()
	case wire.ResultBlock:
		w.result(b)
	case wire.RawBlock:
		w.Raw(b.Raw)
	}
}

func (w *writer) textBlock(b *wire.Block) {
	w.Object()
	w.Str("type", "text")
	w.Str("text", b.Text)
	w.cacheMark(b.Cache)
	w.End()
}

func (w *writer) result(b *wire.Block) {
	w.Object()
	w.Str("type", "tool_result")
	w.Str("tool_use_id", wire.SafeCallID(b.Result.CallID))
	content := make([]wire.Block, 0, len(b.Result.Content))
	for _, c := range b.Result.Content {
		if c.Type != wire.TextBlock && c.Type != wire.RefusalBlock || !blank(c.Text) {
			content = append(content, c)
		}
	}
	if len(content) > 0 {
		w.Key("content")
		w.content(content)
	}
	if b.Result.IsError {
		w.Flag("is_error", true)
	}
	w.cacheMark(b.Cache)
	w.End()
}

func (w *writer) document(b *wire.Block) {
	m := b.Media
	w.Object()
	w.Str("type", "document")
	if text, ok := plainText(m); ok {
		w.Key("source")
		w.Object()
		w.Str("type", "text")
		w.Str("media_type", "text/plain")
		w.Str("data", text)
		w.End()
	} else {
		w.source(m, "application/pdf")
	}
	w.StrIf("title", m.Name)
	if m.Cite {
		w.B = append(w.B, `,"citations":{"enabled":true}`...)
	}
	w.cacheMark(b.Cache)
	w.End()
}

func (w *writer) source(m *wire.Media, mime string) {
	w.Key("source")
	w.Object()
	switch {
	case m.FileID != "":
		w.Str("type", "file")
		w.Str("file_id", m.FileID)
	case m.URL != "":
		w.Str("type", "url")
		w.Str("url", m.URL)
	default:
		w.Str("type", "base64")
		w.Str("media_type", mime)
		w.Str("data", m.Data)
	}
	w.End()
}

// checkMedia refuses attachments that the vendor has no place for.
func (w *writer) checkMedia(b *wire.Block) error {
	m := b.Media
	if m.Detail == "low" || m.Detail == "original" {
		w.loss.Drop("detail")
	}
	switch {
	case m.FileID != "":
		if !w.same {
			return wire.Unmappable("messages", "a file that another provider keeps", w.where())
		}
	case m.URL != "":
	case b.Type == wire.ImageBlock:
		switch m.ImageType() {
		case "image/jpeg", "image/png", "image/gif", "image/webp":
		default:
			return wire.Unmappable("messages", "an image of type '"+m.MIME+"'", w.where())
		}
	default:
		if _, ok := plainText(m); !ok && !isPDF(m) {
			return wire.Unmappable("messages", "a document of type '"+m.MIME+"'", w.where())
		}
	}
	return nil
}

// plainText is the text of a document that is text, however it was given.
func plainText(m *wire.Media) (string, bool) {
	switch {
	case m.FileID != "" || m.URL != "":
		return "", false
	case m.Text != "":
		return m.Text, true
	case m.Data == "":
		return "", strings.HasPrefix(m.MIME, "text/")
	case strings.HasPrefix(m.MIME, "text/"), m.MIME == "application/json":
		text, err := base64.StdEncoding.DecodeString(m.Data)
		return string(text), err == nil
	}
	return "", false
}

// isPDF goes by the first bytes where the client names no type.
func isPDF(m *wire.Media) bool {
	return m.MIME == "application/pdf" || m.MIME == "" && strings.HasPrefix(m.Data, "JVBERi0")
}
