package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// AppendLength implements wire.Ending. Calls that are not whole are marked
// incomplete.
func (e *ending) AppendLength(dst []byte, seen *wire.Seen, _ bool) []byte {
	output := jsonw.Writer{B: []byte{'['}}
	for _, it := range e.items {
		if !it.done {
			dst = e.close(dst, it)
		}
		if it.raw != "" {
			output.Raw(it.raw)
		}
	}
	output.EndArray()
	response := e.response
	if response == "" {
		response = string(jsonscan.AppendString([]byte(`{"id":`), seen.ID)) + `,"object":"response"}`
	}
	usage := jsonw.Writer{}
	writeUsage(&usage, &wire.Report{Usage: seen.Usage, Reported: true})
	return e.event(dst, "response.incomplete", func(w *jsonw.Writer) {
		w.RawMember("response", with(response,
			member{"status", `"incomplete"`},
			member{"incomplete_details", `{"reason":"max_output_tokens"}`},
			member{"output", string(output.B)},
			member{"usage", strings.TrimPrefix(string(usage.B), `"usage":`)},
		))
	})
}

// close completes an item that is open and what is open in it.
func (e *ending) close(dst []byte, it *endedItem) []byte {
	var content, summary jsonw.Writer
	own := member{}
	for _, p := range it.parts {
		dst = e.closePart(dst, it, p)
		text := string(jsonscan.AppendString(nil, string(p.text)))
		switch p.form.index {
		case "content_index":
			content.Raw(p.raw)
		case "summary_index":
			summary.Raw(p.raw)
		default:
			own = member{p.form.member, text}
		}
	}
	changes := []member{{"status", `"incomplete"`}}
	if own.name != "" {
		changes = append(changes, own)
	}
	if len(content.B) > 0 {
		changes = append(changes, member{"content", "[" + string(content.B) + "]"})
	}
	if len(summary.B) > 0 {
		changes = append(changes, member{"summary", "[" + string(summary.B) + "]"})
	}
	if it.raw == "" {
		return dst // it was never added, so nobody waits for its end
	}
	it.raw = with(it.raw, changes...)
	return e.event(dst, "response.output_item.done", func(w *jsonw.Writer) {
		w.Num("output_index", it.index)
		w.RawMember("item", it.raw)
	})
}

// closePart completes a text and the part that holds it, and leaves the part
// in p.raw.
func (e *ending) closePart(dst []byte, it *endedItem, p *endedPart) []byte {
	where := func(w *jsonw.Writer) {
		w.Str("item_id", it.id)
		w.Num("output_index", it.index)
		if p.form.index != "" {
			w.Num(p.form.index, p.index)
		}
	}
	if !p.said {
		p.said = true
		dst = e.event(dst, p.form.name+".done", func(w *jsonw.Writer) {
			where(w)
			w.Key(p.form.member)
			w.Text(p.text)
			if p.form.kind == "output_text" {
				w.RawMember("logprobs", "[]")
			}
		})
	}
	if p.raw != "" || p.form.part == "" {
		return dst
	}
	var part jsonw.Writer
	switch p.form.kind {
	case "output_text", "refusal":
		writePart(&part, p.form.kind == "refusal", p.text, p.notes, nil)
	default:
		part.Object()
		part.Str("type", p.form.kind)
		part.Key("text")
		part.Text(p.text)
		part.End()
	}
	p.raw = string(part.B)
	if !p.added {
		return dst
	}
	return e.event(dst, p.form.part, func(w *jsonw.Writer) {
		where(w)
		w.RawMember("part", p.raw)
	})
}

func (e *ending) event(dst []byte, name string, rest func(*jsonw.Writer)) []byte {
	e.sequence++
	var w jsonw.Writer
	w.Object()
	w.Str("type", name)
	w.Num("sequence_number", e.sequence)
	rest(&w)
	w.End()
	return sse.AppendEvent(dst, name, w.B)
}

// member is one of an object, its value raw.
type member struct{ name, raw string }

// with is the object raw with some members changed or added; the others stay
// as they are.
func with(raw string, changes ...member) string {
	var d wire.Doc
	if d.Reset([]byte(raw)) != nil || d.Root.Kind != jsonscan.ObjectKind {
		d.Root = jsonscan.Value{}
	}
	var w jsonw.Writer
	w.Object()
	for key, v := range jsonscan.Members(d.Data, d.Root) {
		kept := v.Raw(d.Data)
		for i, c := range changes {
			if key.Is(d.Data, c.name) {
				kept, changes[i].raw = []byte(c.raw), ""
			}
		}
		w.Raw(string(key.Raw(d.Data)))
		w.B = append(w.B, ':')
		w.B = append(w.B, kept...)
	}
	for _, c := range changes {
		w.RawIf(c.name, c.raw)
	}
	w.End()
	return string(w.B)
}
