package responses

import (
	"strings"

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
