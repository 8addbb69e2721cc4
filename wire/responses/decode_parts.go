package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// content reads a message's content or a tool's output: a string or parts.
func (r *requestReader) content(param string, v jsonscan.Value, role wire.Role) []wire.Block {
	switch v.Kind {
	case jsonscan.String:
		return []wire.Block{{Text: r.Long(v)}}
	case jsonscan.Array:
	case jsonscan.Invalid, jsonscan.Null:
		return nil
	default:
		r.fail(param, "'"+param+"' must be a string or an array")
		return nil
	}
	var blocks []wire.Block
	i := 0
	for p := range r.Elements(v) {
		where := at(param, i)
		i++
		if p.Kind != jsonscan.ObjectKind {
			r.fail(where, "'"+where+"' must be an object")
			return nil
		}
		b := r.part(where, p)
		if role == wire.RoleSystem && b.Type != wire.TextBlock {
			r.fail(where, "'"+where+"' must be text: system messages hold nothing else")
		}
		if role == wire.RoleAssistant && b.Media != nil {
			r.fail(where, "'"+where+"' must be output_text or refusal")
		}
		if role != wire.RoleAssistant && b.Type == wire.RefusalBlock {
			r.fail(where, "'"+where+"' is a part of answers")
		}
		if role != wire.RoleAssistant {
			b.Citations = nil
		}
		if r.object(where+".prompt_cache_breakpoint", r.Get(p, "prompt_cache_breakpoint")) != "" {
			b.Cache = &wire.CacheMark{TTL: r.cacheTTL}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func (r *requestReader) part(param string, p jsonscan.Value) wire.Block {
	text := func(name string) string {
		v := r.Get(p, name)
		if v.Kind != jsonscan.String {
			r.fail(param+"."+name, "'"+param+"."+name+"' must be a string")
		}
		return r.Long(v)
	}
	switch kind := r.StrAt(p, "type"); kind {
	case "input_text", "output_text", "text", "summary_text":
		return wire.Block{Text: text("text"), Citations: readCitations(r.Doc, r.Get(p, "annotations"))}
	case "refusal":
		return wire.Block{Type: wire.RefusalBlock, Text: text("refusal")}
	case "input_image":
		media := &wire.Media{Detail: r.str(param+".detail", r.Get(p, "detail")), FileID: r.str(param+".file_id", r.Get(p, "file_id"))}
		url := r.Get(p, "image_url")
		if url.Kind == jsonscan.ObjectKind { // the form of chat
			url = r.Get(url, "url")
		}
		r.url(param+".image_url", media, r.long(param+".image_url", url))
		return r.media(param, wire.ImageBlock, media)
	case "input_file":
		media := &wire.Media{
			Name: r.str(param+".filename", r.Get(p, "filename")), FileID: r.str(param+".file_id", r.Get(p, "file_id")),
			Detail: r.str(param+".detail", r.Get(p, "detail")), URL: r.str(param+".file_url", r.Get(p, "file_url")),
		}
		if data := r.long(param+".file_data", r.Get(p, "file_data")); data != "" {
			if media.URL, media.FileID = "", ""; strings.Contains(data[:min(len(data), 8)], ":") {
				r.url(param+".file_data", media, data)
			} else {
				media.MIME, media.Data = "application/pdf", data
			}
		}
		return r.media(param, wire.DocumentBlock, media)
	case "input_audio":
		return r.media(param, wire.AudioBlock, &wire.Media{
			Data: r.Long(r.Get(p, "input_audio", "data")), MIME: audioMIME(r.StrAt(p, "input_audio", "format")),
		})
	default:
		r.fail(param+".type", "'"+param+".type' "+quote(kind)+" is not known")
		return wire.Block{}
	}
}

// media checks that there is something to attach.
func (r *requestReader) media(param string, kind wire.BlockType, m *wire.Media) wire.Block {
	if m.Data == "" && m.URL == "" && m.FileID == "" {
		r.fail(param, "'"+param+"' names no "+kind.String())
	}
	return wire.Block{Type: kind, Media: m}
}

// url reads a URL or splits a data URL (RFC 2397) into its type and data.
func (r *requestReader) url(param string, m *wire.Media, url string) {
	if len(url) < 5 || !strings.EqualFold(url[:5], "data:") {
		m.URL = url
		return
	}
	head, data, ok := strings.Cut(url[5:], ",")
	mime, params, _ := strings.Cut(head, ";")
	if !ok || !strings.HasSuffix(strings.ToLower(";"+params), ";base64") {
		r.fail(param, "'"+param+"' must have its data URL in base64")
		return
	}
	m.MIME, m.Data = mime, data
}

func audioMIME(format string) string {
	if format == "mp3" {
		return "audio/mpeg"
	}
	return "audio/" + format
}

func audioFormat(mime string) string {
	if mime == "audio/mpeg" {
		return "mp3"
	}
	return strings.TrimPrefix(mime, "audio/")
}

// readCitations reads the annotations of a text that name a page. Those of
// files and containers name what only the vendor has.
func readCitations(d *wire.Doc, v jsonscan.Value) (list []wire.Citation) {
	for a := range d.Elements(v) {
		if c, ok := readCitation(d, a); ok {
			list = append(list, c)
		}
	}
	return list
}

func readCitation(d *wire.Doc, a jsonscan.Value) (c wire.Citation, ok bool) {
	if d.StrAt(a, "type") != "url_citation" {
		return c, false
	}
	return wire.Citation{
		URL: d.StrAt(a, "url"), Title: d.StrAt(a, "title"),
		Start: d.IntAt(a, "start_index"), End: d.IntAt(a, "end_index"),
	}, true
}
