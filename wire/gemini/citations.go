package gemini

import (
	"strings"
	"unicode/utf8"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// span is a piece of a text in bytes, as Gemini counts, and what stands
// behind it.
type span struct {
	part       int
	start, end int
	text       string
	url, title string
}

// isCited reports whether a candidate names sources.
func isCited(d *wire.Doc, candidate jsonscan.Value) bool {
	return d.Get(candidate, "groundingMetadata").Exists() || d.Get(candidate, "citationMetadata").Exists()
}

// eachSpan calls visit with the sources of a candidate that have a place in
// its text: grounding in searches, and what it recites.
func eachSpan(d *wire.Doc, candidate jsonscan.Value, visit func(span)) {
	grounding := d.Get(candidate, "groundingMetadata")
	var sources []span
	for support := range d.Elements(d.Get(grounding, "groundingSupports")) {
		if sources == nil {
			sources = groundingSources(d, grounding)
		}
		segment := d.Get(support, "segment")
		for index := range d.Elements(d.Get(support, "groundingChunkIndices")) {
			at := d.Int(index)
			if at < 0 || at >= int64(len(sources)) {
				continue
			}
			s := sources[at]
			s.part = int(d.IntAt(segment, "partIndex"))
			s.start, s.end = int(d.IntAt(segment, "startIndex")), int(d.IntAt(segment, "endIndex"))
			s.text = d.StrAt(segment, "text")
			if s.url != "" || s.title != "" {
				visit(s)
			}
		}
	}
	cited := d.Get(candidate, "citationMetadata")
	for _, name := range []string{"citationSources", "citations"} { // AI Studio, Vertex
		for c := range d.Elements(d.Get(cited, name)) {
			s := span{
				start: int(d.IntAt(c, "startIndex")), end: int(d.IntAt(c, "endIndex")),
				url: d.StrAt(c, "uri"), title: d.StrAt(c, "title"),
			}
			if s.url != "" || s.title != "" {
				visit(s)
			}
		}
	}
}

func groundingSources(d *wire.Doc, grounding jsonscan.Value) []span {
	sources := []span{}
	for chunk := range d.Elements(d.Get(grounding, "groundingChunks")) {
		var s span
		for _, kind := range []string{"web", "retrievedContext", "maps"} {
			if source := d.Get(chunk, kind); source.Exists() {
				s.url, s.title = d.StrAt(source, "uri"), d.StrAt(source, "title")
				if s.url == "" && s.title == "" {
					s.title = d.StrAt(source, "fileSearchStore")
				}
				break
			}
		}
		sources = append(sources, s)
	}
	return sources
}

// fits reports whether the span's own words stand at its place in text.
func (s *span) fits(text string) bool {
	return s.text != "" && s.start >= 0 && s.start <= s.end && s.end <= len(text) && text[s.start:s.end] == s.text
}

// citation is the span as a citation of text, its ends in characters; ok is
// false when it lies outside. Its words are trusted more than its place, which
// may be counted from the first of several texts.
func (s *span) citation(text string) (c wire.Citation, ok bool) {
	if s.text != "" && !s.fits(text) {
		if at := strings.Index(text, s.text); at >= 0 {
			s.start, s.end = at, at+len(s.text)
		}
	}
	end := min(s.end, len(text))
	if s.start < 0 || s.start >= end {
		return wire.Citation{}, false
	}
	from := utf8.RuneCountInString(text[:s.start])
	return wire.Citation{
		URL:   s.url,
		Title: s.title,
		Text:  text[s.start:end],
		Start: int64(from),
		End:   int64(utf8.RuneCountInString(text[:end])),
	}, true
}

// byteAt is the offset in bytes of a character of text.
func byteAt(text string, char int64) int {
	for at := range text {
		if char <= 0 {
			return at
		}
		char--
	}
	return len(text)
}

// placed is a citation of the text of part; base is where in that text the
// cited block begins, in bytes, and size is its length.
type placed struct {
	wire.Citation
	part, base, size int
}

// writeGrounding writes the member groundingMetadata. A citation that does not
// say where it belongs stands behind the whole block.
func writeGrounding(w *jsonw.Writer, list []placed, text func(part int) string) {
	if len(list) == 0 {
		return
	}
	w.Key("groundingMetadata")
	w.Object()
	w.Key("groundingChunks")
	w.Array()
	for i := range list {
		w.Object()
		w.Key("web")
		w.Object()
		w.StrIf("uri", list[i].URL)
		w.StrIf("title", list[i].Title)
		w.End()
		w.End()
	}
	w.EndArray()
	w.Key("groundingSupports")
	w.Array()
	for i := range list {
		c := &list[i]
		whole := text(c.part)
		block := whole[min(c.base, len(whole)):min(c.base+c.size, len(whole))]
		start, end := byteAt(block, c.Start), len(block)
		if c.End > 0 {
			end = byteAt(block, c.End)
		}
		w.Object()
		w.Key("segment")
		w.Object()
		w.NumIf("partIndex", int64(c.part))
		w.NumIf("startIndex", int64(c.base+start))
		w.Num("endIndex", int64(c.base+end))
		w.StrIf("text", block[min(start, end):end])
		w.End()
		w.Key("groundingChunkIndices")
		w.Array()
		w.Int(int64(i))
		w.EndArray()
		w.End()
	}
	w.EndArray()
	w.End()
}
