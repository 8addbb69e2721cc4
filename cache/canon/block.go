package canon

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// blocks writes a list of blocks. Texts without a character say nothing; some
// decoders keep them.
func (w *writer) blocks(tag byte, list []wire.Block, dialect wire.Dialect) {
	w.byte(tag)
	for i := range list {
		if b := &list[i]; b.Type != wire.TextBlock || b.Text != "" || b.Signature != "" || b.ID != "" || len(b.Citations) > 0 {
			w.byte(more)
			w.block(b, dialect)
		}
	}
	w.byte(end)
}

func (w *writer) block(b *wire.Block, dialect wire.Dialect) {
	const (
		kind byte = iota + 2
		text
		held
		media
		call
		result
		signature
		vendor
		id
		citation
		raw
	)
	w.byte(kind)
	w.byte(byte(b.Type))
	if w.held {
		w.byte(held)
		w.last = append(w.last, b.Text)
	} else {
		w.text(text, b.Text)
	}
	if b.Media != nil {
		w.byte(media)
		w.media(b.Media)
	}
	if b.Call != nil {
		w.byte(call)
		w.toolCall(b.Call)
	}
	if b.Result != nil {
		w.byte(result)
		w.result(b.Result, dialect)
	}
	w.text(signature, b.Signature)
	w.text(vendor, string(b.Vendor))
	w.text(id, b.ID)
	for i := range b.Citations {
		w.byte(citation)
		w.citation(&b.Citations[i])
	}
	w.raw(raw, b.Raw, asWritten)
	w.byte(end)
	switch {
	case b.Raw != "":
		w.facts.Media = true // it may be anything
		w.seek(b.Type.String(), b.Raw)
	case b.Type == wire.ThinkingBlock && b.Signature == "" && b.ID != "":
		w.stateful("reasoning") // what it names by id stands at the vendor's
	}
}

func (w *writer) media(m *wire.Media) {
	const (
		mime byte = iota + 2
		data
		url
		file
		name
		detail
		text
		cite
	)
	w.text(mime, m.MIME)
	w.text(data, m.Data)
	w.text(url, m.URL)
	w.text(file, m.FileID)
	w.text(name, m.Name)
	w.text(detail, m.Detail)
	w.text(text, m.Text)
	w.flag(cite, m.Cite)
	w.byte(end)
	w.facts.Media = true
	if m.FileID != "" {
		w.stateful("file_id")
	}
}

func (w *writer) toolCall(c *wire.Call) {
	const (
		id byte = iota + 2
		name
		arguments
		text
		custom
	)
	w.byte(id)
	w.uint(w.call(c.ID))
	w.text(name, c.Name)
	data := []byte(c.Arguments)
	v, err := wire.ParseAnswer(data)
	switch {
	case c.Custom:
		w.text(text, c.Arguments)
	case strings.TrimSpace(c.Arguments) == "", err == nil && v.Kind == jsonscan.Null:
		w.raw(arguments, "{}", sorted)
	case err == nil:
		w.raw(arguments, c.Arguments, sorted)
	default: // cut off
		w.text(text, c.Arguments)
	}
	w.flag(custom, c.Custom)
	w.byte(end)
}

func (w *writer) result(r *wire.Result, dialect wire.Dialect) {
	const (
		call byte = iota + 2
		name
		content
		failed
		custom
	)
	w.byte(call)
	w.uint(w.call(r.CallID))
	w.text(name, r.Name)
	list := r.Content
	if dialect == wire.Gemini {
		list = respelled(list)
	}
	w.blocks(content, list, dialect)
	w.flag(failed, r.IsError)
	w.flag(custom, r.Custom)
	w.byte(end)
}

// respelled are blocks whose texts, if they are JSON, are so in one spelling:
// Gemini's tools answer with objects, of which decoders make texts as they
// find them. A tool that answered with such a text leaves a residue.
func respelled(list []wire.Block) []wire.Block {
	out := make([]wire.Block, len(list))
	for i, b := range list {
		data := []byte(b.Text)
		if v, err := wire.ParseAnswer(data); err == nil {
			b.Text = string(appendJSON(nil, data, v, sorted))
		}
		out[i] = b
	}
	return out
}

func (w *writer) citation(c *wire.Citation) {
	const (
		url byte = iota + 2
		title
		text
		from
		to
	)
	w.text(url, c.URL)
	w.text(title, c.Title)
	w.text(text, c.Text)
	w.count(from, c.Start)
	w.count(to, c.End)
	w.byte(end)
}
