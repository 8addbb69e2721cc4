package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// NewEnding returns what can end a stream of Responses early.
func NewEnding() wire.Ending { return &ending{sequence: -1} }

// ending keeps what a stream has told: its last event holds the whole
// response, and whatever was added has to be done before it.
type ending struct {
	doc      wire.Doc
	sequence int64
	response string // as response.created has it
	items    []*endedItem
}

// endedItem is an output item: raw is what was added, or what was done.
type endedItem struct {
	index int64
	raw   string
	id    string
	done  bool
	parts []*endedPart
}

// endedPart is a text of an item that comes in pieces.
type endedPart struct {
	form  *textForm
	index int64
	added bool   // it has a part of its own, which is to be done too
	said  bool   // its text is done
	raw   string // when the part is done
	text  []byte
	notes []byte // annotations, without brackets
}

// textForm is how one kind of text is told.
type textForm struct {
	name   string // of its events, before .delta and .done
	member string // that has the whole text
	part   string // the event that completes its part; empty without parts
	index  string // that tells parts apart
	kind   string // the part's type
}

var textForms = []*textForm{
	{"response.output_text", "text", "response.content_part.done", "content_index", "output_text"},
	{"response.refusal", "refusal", "response.content_part.done", "content_index", "refusal"},
	{"response.reasoning_text", "text", "response.content_part.done", "content_index", "reasoning_text"},
	{"response.reasoning_summary_text", "text", "response.reasoning_summary_part.done", "summary_index", "summary_text"},
	{"response.function_call_arguments", "arguments", "", "", ""},
	{"response.mcp_call_arguments", "arguments", "", "", ""},
	{"response.custom_tool_call_input", "input", "", "", ""},
}

// Pass implements wire.Ending.
func (e *ending) Pass(ev *sse.Event) {
	if !ev.HasData || e.doc.Reset(ev.Data) != nil {
		return
	}
	d := &e.doc
	if n, ok := d.Get(d.Root, "sequence_number").Int(d.Data); ok {
		e.sequence = n
	}
	kind := d.StrAt(d.Root, "type")
	switch kind {
	case "response.created", "response.in_progress", "response.queued":
		e.response = d.RawAt(d.Root, "response")
		return
	case "response.output_item.added", "response.output_item.done":
		it := e.item()
		it.raw, it.id = d.RawAt(d.Root, "item"), d.StrAt(d.Root, "item", "id")
		it.done = strings.HasSuffix(kind, ".done")
		return
	case "response.content_part.added", "response.content_part.done",
		"response.reasoning_summary_part.added", "response.reasoning_summary_part.done":
		e.part(kind)
		return
	case "response.output_text.annotation.added":
		p := e.item().find(textForms[0], d.IntAt(d.Root, "content_index"))
		if len(p.notes) > 0 {
			p.notes = append(p.notes, ',')
		}
		p.notes = append(p.notes, d.Get(d.Root, "annotation").Raw(d.Data)...)
		return
	}
	for _, form := range textForms {
		switch rest, ok := strings.CutPrefix(kind, form.name); {
		case !ok:
		case rest == ".delta":
			p := e.item().find(form, e.indexOf(form))
			p.text = append(p.text, d.Bytes(d.Get(d.Root, "delta"))...)
			return
		case rest == ".done":
			p := e.item().find(form, e.indexOf(form))
			p.text = append(p.text[:0], d.Bytes(d.Get(d.Root, form.member))...)
			p.said = true
			return
		}
	}
}

func (e *ending) indexOf(form *textForm) int64 {
	if form.index == "" {
		return 0
	}
	return e.doc.IntAt(e.doc.Root, form.index)
}

// part notes that a part was added or is done.
func (e *ending) part(kind string) {
	d := &e.doc
	name := d.StrAt(d.Root, "part", "type")
	for _, form := range textForms {
		if form.kind != name || form.kind == "" {
			continue
		}
		p := e.item().find(form, e.indexOf(form))
		p.added = true
		if kind == form.part {
			p.raw, p.said = d.RawAt(d.Root, "part"), true
		}
	}
}

// item is the item of the event that is read. Servers may leave out that it
// was added.
func (e *ending) item() *endedItem {
	index := e.doc.IntAt(e.doc.Root, "output_index")
	for _, it := range e.items {
		if it.index == index {
			return it
		}
	}
	it := &endedItem{index: index, id: e.doc.StrAt(e.doc.Root, "item_id")}
	e.items = append(e.items, it)
	return it
}

func (it *endedItem) find(form *textForm, index int64) *endedPart {
	for _, p := range it.parts {
		if p.form == form && p.index == index {
			return p
		}
	}
	p := &endedPart{form: form, index: index}
	it.parts = append(it.parts, p)
	return p
}

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
