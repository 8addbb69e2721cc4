package cohere

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/wire"
)

func (e *encoder) messages() {
	e.Key("messages")
	e.Array()
	if hasText(e.req.System) {
		e.open("system")
		e.texts(e.req.System)
		e.End()
	}
	for i := range e.req.Messages {
		switch m := &e.req.Messages[i]; m.Role {
		case wire.RoleSystem:
			if hasText(m.Blocks) {
				e.open("system")
				e.texts(m.Blocks)
				e.End()
			}
		case wire.RoleAssistant:
			e.assistant(m.Blocks)
		default:
			e.user(m.Blocks)
		}
	}
	e.EndArray()
}

func (e *encoder) open(role string) {
	e.Object()
	e.Str("role", role)
}

func hasText(blocks []wire.Block) bool {
	for i := range blocks {
		if blocks[i].Type == wire.TextBlock && !blank(blocks[i].Text) {
			return true
		}
	}
	return false
}

// texts writes the content of instructions.
func (e *encoder) texts(blocks []wire.Block) {
	e.Key("content")
	if len(blocks) == 1 {
		e.String(blocks[0].Text)
		return
	}
	e.Array()
	for i := range blocks {
		if b := &blocks[i]; b.Type == wire.TextBlock && !blank(b.Text) {
			e.text(b.Text)
		}
	}
	e.EndArray()
}

func (e *encoder) text(s string) {
	e.Object()
	e.Str("type", "text")
	e.Str("text", s)
	e.End()
}

// user writes the results of calls, a message each, and then what the user
// says. Images in results go there too, since a tool's message is text.
func (e *encoder) user(blocks []wire.Block) {
	var said []*wire.Block
	for i := range blocks {
		if b := &blocks[i]; b.Type == wire.ResultBlock {
			for j := range b.Result.Content {
				if c := &b.Result.Content[j]; c.Type == wire.ImageBlock {
					said = append(said, c)
				}
			}
			e.result(b.Result)
		}
	}
	for i := range blocks {
		switch b := &blocks[i]; {
		case b.Type == wire.ResultBlock:
		case b.Type == wire.TextBlock && b.Text == "":
		case b.Type == wire.DocumentBlock && b.Media.Cite && e.cited(b.Media):
		default:
			said = append(said, b)
		}
	}
	if len(said) == 0 {
		return
	}
	e.open("user")
	e.Key("content")
	if len(said) == 1 && said[0].Type == wire.TextBlock {
		e.String(said[0].Text)
		e.End()
		return
	}
	e.Array()
	for _, b := range said {
		e.part(b)
	}
	e.EndArray()
	e.End()
}

// cited keeps a document that the client wants cited for the list of them.
func (e *encoder) cited(m *wire.Media) bool {
	if _, ok := documentText(m); !ok {
		return false
	}
	e.docs = append(e.docs, m)
	return true
}

func (e *encoder) part(b *wire.Block) {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock:
		e.text(b.Text)
	case wire.ImageBlock:
		m := b.Media
		url := m.URL
		switch {
		case m.Data != "":
			url = "data:" + m.MIME + ";base64," + m.Data
		case url == "":
			e.fail("an image by the id of an uploaded file")
		}
		e.Object()
		e.Str("type", "image_url")
		e.Key("image_url")
		e.Object()
		e.Str("url", url)
		switch m.Detail {
		case "low", "high", "auto":
			e.Str("detail", m.Detail)
		case "":
		default:
			e.loss.Drop("detail")
		}
		e.End()
		e.End()
	case wire.DocumentBlock:
		text, ok := documentText(b.Media)
		if !ok {
			e.fail("a document that is no text")
		}
		e.text(text)
	case wire.RawBlock:
		if b.Vendor != wire.VendorCohere {
			e.fail("a " + b.Name() + " block of the " + string(b.Vendor) + " API alone")
		}
		e.Raw(b.Raw)
	default:
		e.fail(b.Type.String() + " content")
	}
}

// documentText is the text of a document that is one.
func documentText(m *wire.Media) (string, bool) {
	if m.Text != "" {
		return m.Text, true
	}
	if m.Data == "" || !strings.HasPrefix(m.MIME, "text/") && m.MIME != "application/json" {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(m.Data)
	return string(text), err == nil
}

func (e *encoder) result(r *wire.Result) {
	e.open("tool")
	e.Str("tool_call_id", r.CallID)
	e.Key("content")
	texts, others := 0, 0
	for i := range r.Content {
		switch r.Content[i].Type {
		case wire.TextBlock, wire.RefusalBlock:
			texts++
		case wire.ImageBlock: // the user's message has it
		default:
			others++
		}
	}
	if texts <= 1 && others == 0 {
		wire.WriteText(&e.Writer, r.Content)
		e.End()
		return
	}
	e.Array()
	for i := range r.Content {
		if b := &r.Content[i]; b.Type != wire.ImageBlock {
			e.part(b)
		}
	}
	e.EndArray()
	e.End()
}

// assistant writes a message of the model. Thinking goes back as it came from
// here: with no signature. Another vendor's has one, and means nothing here.
func (e *encoder) assistant(blocks []wire.Block) {
	var thoughts, content []*wire.Block
	var calls []*wire.Call
	for i := range blocks {
		switch b := &blocks[i]; b.Type {
		case wire.ThinkingBlock, wire.RedactedBlock:
			if b.Type == wire.RedactedBlock || b.Signature != "" && b.Vendor != wire.VendorCohere {
				e.loss.Drop("thinking")
			} else if b.Text != "" {
				thoughts = append(thoughts, b)
			}
		case wire.CallBlock:
			calls = append(calls, b.Call)
		case wire.TextBlock, wire.RefusalBlock:
			if len(b.Citations) > 0 {
				e.loss.Drop("citations")
			}
			if b.Text != "" {
				content = append(content, b)
			}
		default:
			content = append(content, b)
		}
	}
	if len(thoughts)+len(content)+len(calls) == 0 {
		return
	}
	e.open("assistant")
	plan := len(thoughts) == 1 && len(calls) > 0 && !thinks(e.req.Model)
	if plan {
		e.Str("tool_plan", thoughts[0].Text)
		thoughts = nil
	}
	if len(thoughts)+len(content) > 0 {
		e.Key("content")
		e.Array()
		for _, b := range thoughts {
			e.Object()
			e.Str("type", "thinking")
			e.Str("thinking", b.Text)
			e.End()
		}
		for _, b := range content {
			e.part(b)
		}
		e.EndArray()
	}
	e.calls(calls)
	e.End()
}

func (e *encoder) calls(calls []*wire.Call) {
	if len(calls) == 0 {
		return
	}
	e.Key("tool_calls")
	e.Array()
	for _, c := range calls {
		arguments := c.Arguments
		if c.Custom {
			arguments = wire.WrapCustom(arguments)
		}
		e.Object()
		e.Str("id", c.ID)
		e.Str("type", "function")
		e.Key("function")
		e.Object()
		e.Str("name", c.Name)
		e.Str("arguments", wire.ArgumentsObject(arguments))
		e.End()
		e.End()
	}
	e.EndArray()
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
