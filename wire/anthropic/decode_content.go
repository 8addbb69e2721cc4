package anthropic

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// content reads a string or an array of blocks. Empty texts are left out: the
// vendor refuses them, and clients send back what others answered with.
func (r *reader) content(v jsonscan.Value, at place) []wire.Block {
	switch v.Kind {
	case jsonscan.String:
		if text := r.Long(v); text != "" {
			return []wire.Block{{Type: wire.TextBlock, Text: text}}
		}
		return nil
	case jsonscan.Array:
	default:
		r.fail(at.String(), "'"+at.String()+"' must be a string or an array of blocks")
		return nil
	}
	var blocks []wire.Block
	step := &at.block
	if at.block >= 0 {
		step = &at.inner
	}
	for e := range r.Elements(v) {
		*step++
		b, ok := r.block(e, at)
		if ok && at.inner >= 0 && !inResult(b.Type) {
			r.fail(at.String(), "'"+at.String()+"' cannot be part of a tool's result")
		}
		if ok {
			blocks = append(blocks, b)
		}
		if r.err != nil {
			return nil
		}
	}
	return blocks
}

// inResult reports whether a tool can answer with a block of type t.
func inResult(t wire.BlockType) bool {
	switch t {
	case wire.TextBlock, wire.ImageBlock, wire.DocumentBlock, wire.RawBlock:
		return true
	}
	return false
}

// block reads one block; ok is false for one that says nothing.
func (r *reader) block(v jsonscan.Value, at place) (b wire.Block, ok bool) {
	kind := r.Get(v, "type")
	if kind.Kind != jsonscan.String {
		r.fail(at.String(), "'"+at.String()+"' must be an object with a 'type'")
		return b, false
	}
	b.Cache = r.cacheMark(r.Get(v, "cache_control"))
	switch r.Str(kind) {
	case "text":
		text := r.Get(v, "text")
		if text.Kind != jsonscan.String {
			r.fail(at.name("text"), "'"+at.name("text")+"' must be a string")
			return b, false
		}
		b.Text = r.Long(text)
		b.Citations = citationsOf(r.Doc, r.Get(v, "citations"))
		return b, b.Text != ""
	case "image":
		b.Type = wire.ImageBlock
		b.Media = r.source(r.Get(v, "source"), at)
		r.unknown(v, at, "transformations")
	case "document":
		return r.document(v, b, at)
	case "tool_use":
		b.Type = wire.CallBlock
		b.Call = &wire.Call{ID: r.StrAt(v, "id"), Name: r.StrAt(v, "name"), Arguments: r.LongRaw(r.Get(v, "input"))}
		if b.Call.ID == "" || b.Call.Name == "" {
			r.fail(at.String(), "'"+at.String()+"' must have an 'id' and a 'name'")
		}
	case "tool_result":
		b.Type = wire.ResultBlock
		b.Result = &wire.Result{CallID: r.StrAt(v, "tool_use_id"), IsError: r.Bool(r.Get(v, "is_error"))}
		if content := r.Get(v, "content"); content.Kind != jsonscan.Invalid && content.Kind != jsonscan.Null {
			b.Result.Content = r.content(content, at)
		}
	case "thinking":
		b.Type, b.Text, b.Cache = wire.ThinkingBlock, r.Long(r.Get(v, "thinking")), nil
		b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorAnthropic, r.StrAt(v, "signature"))
		return b, b.Text != "" || b.Signature != ""
	case "redacted_thinking":
		b.Type, b.Cache = wire.RedactedBlock, nil
		b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorAnthropic, r.StrAt(v, "data"))
		return b, b.Signature != ""
	default:
		// Server tools and their results, MCP, search results, uploads.
		return rawBlock(r.LongRaw(v)), true
	}
	return b, true
}

func rawBlock(raw string) wire.Block {
	return wire.Block{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: raw}
}

// document reads a document. One that is made of blocks becomes its text,
// unless it has pictures.
func (r *reader) document(v jsonscan.Value, b wire.Block, at place) (wire.Block, bool) {
	source := r.Get(v, "source")
	b.Type = wire.DocumentBlock
	if r.Get(source, "type").Is(r.Data, "content") {
		var texts []string
		content := r.Get(source, "content")
		if content.Kind == jsonscan.String {
			texts = append(texts, r.Str(content))
		}
		for part := range r.Elements(content) {
			if !r.Get(part, "type").Is(r.Data, "text") {
				return rawBlock(r.LongRaw(v)), true
			}
			texts = append(texts, r.StrAt(part, "text"))
		}
		b.Media = &wire.Media{MIME: "text/plain", Text: strings.Join(texts, "\n")}
	} else {
		b.Media = r.source(source, at)
	}
	if b.Media != nil {
		b.Media.Name = r.StrAt(v, "title")
		b.Media.Cite = r.Bool(r.Get(v, "citations", "enabled"))
	}
	r.unknown(v, at, "context")
	return b, true
}

// source reads where an image or a document is.
func (r *reader) source(v jsonscan.Value, at place) *wire.Media {
	m := &wire.Media{MIME: r.StrAt(v, "media_type")}
	var what string
	switch kind := r.Get(v, "type"); {
	case kind.Is(r.Data, "base64"):
		m.Data, what = r.Long(r.Get(v, "data")), "data"
	case kind.Is(r.Data, "url"):
		m.URL, what = r.StrAt(v, "url"), "url"
	case kind.Is(r.Data, "file"):
		m.FileID, what = r.StrAt(v, "file_id"), "file_id"
	case kind.Is(r.Data, "text"):
		m.Text = r.Long(r.Get(v, "data"))
		if m.MIME == "" {
			m.MIME = "text/plain"
		}
		return m
	default:
		r.fail(at.name("source"), "'"+at.name("source")+"' must have the type base64, url, file, text or content")
		return nil
	}
	if m.Data+m.URL+m.FileID == "" {
		r.fail(at.name("source."+what), "'"+at.name("source."+what)+"' must be a string that is not empty")
	}
	return m
}

// unknown keeps a member of a block that has no place in the canonical model.
func (r *reader) unknown(v jsonscan.Value, at place, member string) {
	if m := r.Get(v, member); m.Kind != jsonscan.Invalid && m.Kind != jsonscan.Null {
		r.extra(at.name(member), m)
	}
}

func (r *reader) cacheMark(v jsonscan.Value) *wire.CacheMark {
	if v.Kind != jsonscan.ObjectKind {
		return nil
	}
	return &wire.CacheMark{TTL: r.StrAt(v, "ttl")}
}

// claimSignatures gives the signature in an empty thinking block of Gemini's to
// the call that it stands before: that is how answer.block hands it to clients.
func claimSignatures(blocks []wire.Block) []wire.Block {
	kept := blocks[:0]
	for i, b := range blocks {
		if b.Type == wire.ThinkingBlock && b.Text == "" && b.Vendor == wire.VendorGemini && i+1 < len(blocks) && blocks[i+1].Type == wire.CallBlock {
			next := &blocks[i+1]
			next.Signature, next.Vendor, next.ID = b.Signature, b.Vendor, b.ID
			continue
		}
		kept = append(kept, b)
	}
	return kept
}

// citationsOf reads the sources of a text. The characters that Anthropic names
// are the source's, so Start and End stay unsaid: the whole block is cited.
func citationsOf(d *wire.Doc, v jsonscan.Value) []wire.Citation {
	var list []wire.Citation
	for c := range d.Elements(v) {
		list = append(list, citationOf(d, c))
	}
	return list
}

func citationOf(d *wire.Doc, v jsonscan.Value) wire.Citation {
	c := wire.Citation{URL: d.StrAt(v, "url"), Title: d.StrAt(v, "title"), Text: d.StrAt(v, "cited_text")}
	if c.Title == "" {
		c.Title = d.StrAt(v, "document_title")
	}
	if c.URL == "" { // search_result_location
		c.URL = d.StrAt(v, "source")
	}
	return c
}
