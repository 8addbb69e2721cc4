package cohere

import (
	"strings"
	"unicode/utf8"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// cite reads a citation of a whole message and puts it on the block that it
// speaks of; first is the index of the first part of content.
func (r *reader) cite(c jsonscan.Value, blocks []wire.Block, first int) {
	index := first
	if n := r.Get(c, "content_index"); n.Exists() {
		index += int(min(max(r.Int(n), 0), 1<<20))
	} else {
		for index < len(blocks) && blocks[index].Type != wire.TextBlock {
			index++
		}
	}
	if index < len(blocks) && blocks[index].Type == wire.TextBlock {
		for _, source := range readCitation(r.Doc, c) {
			blocks[index].Citations = append(blocks[index].Citations, *source)
		}
	}
}

// readCitation reads one citation: a place in the answer and its sources.
func readCitation(d *wire.Doc, c jsonscan.Value) []*wire.Citation {
	start, end := d.IntAt(c, "start"), d.IntAt(c, "end")
	var list []*wire.Citation
	for source := range d.Elements(d.Get(c, "sources")) {
		data := d.Get(source, "document")
		if !data.Exists() {
			data = d.Get(source, "tool_output")
		}
		cited := &wire.Citation{Start: start, End: end, Title: d.StrAt(data, "title"), URL: d.StrAt(data, "url")}
		if id := d.StrAt(source, "id"); cited.URL == "" && strings.HasPrefix(id, "http") {
			cited.URL = id
		}
		for _, name := range []string{"text", "snippet", "content"} {
			if cited.Text = d.StrAt(data, name); cited.Text != "" {
				break
			}
		}
		list = append(list, cited)
	}
	if list == nil {
		list = []*wire.Citation{{Start: start, End: end}}
	}
	return list
}

// writeCitation writes one citation of text.
func writeCitation(w *jsonw.Writer, c *wire.Citation, text string) {
	w.Object()
	w.Num("start", c.Start)
	w.Num("end", c.End)
	w.Str("text", between(text, c.Start, c.End))
	w.Key("sources")
	w.Array()
	w.Object()
	w.Str("type", "document")
	w.StrIf("id", c.URL)
	w.Key("document")
	w.Object()
	w.StrIf("title", c.Title)
	w.StrIf("url", c.URL)
	w.StrIf("text", c.Text)
	w.End()
	w.End()
	w.EndArray()
	w.Str("type", "TEXT_CONTENT")
}

// between is the characters of s from start to end.
func between(s string, start, end int64) string {
	from, to, n := len(s), len(s), int64(0)
	for i := 0; i < len(s); n++ {
		if n == start {
			from = i
		}
		if n == end {
			to = i
			break
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return s[min(from, to):to]
}
