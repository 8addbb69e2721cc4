package responses

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// AppendStream appends the stream that ends with the whole response in body,
// which has to be complete. Its items, their ids and whatever they hold are the
// response's own, so that its last event is the response byte for byte, but for
// line ends. The error wraps wire.ErrMalformed.
func AppendStream(dst, body []byte) ([]byte, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading response: %w", wire.ErrMalformed)
	}
	last := "response.completed"
	switch status := d.StrAt(d.Root, "status"); status {
	case "completed":
	case "incomplete":
		last = "response.incomplete"
	default:
		return nil, fmt.Errorf("reading response: %w: its status is '%s'", wire.ErrMalformed, status)
	}
	w := &wholeWriter{doc: d}
	w.B = dst
	running := w.with(d.Root, "status", `"in_progress"`, "completed_at", "null", "incomplete_details", "null", "output", "[]", "usage", "null")
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		w.begin(name)
		w.RawMember("response", running)
		w.finish()
	}
	for item := range d.Elements(d.Get(d.Root, "output")) {
		w.item(item)
	}
	w.begin(last)
	w.RawMember("response", oneLine(string(d.Root.Raw(d.Data))))
	w.finish()
	return w.B, nil
}

// wholeWriter writes the events of a response that is there already.
type wholeWriter struct {
	sequence
	doc   *wire.Doc
	index int64  // of the item at hand
	id    string // of it, raw
}

// with is the object v on one line, with other values for those of the members
// that it has. pairs are names and raw values.
func (w *wholeWriter) with(v jsonscan.Value, pairs ...string) string {
	var edits []jsonscan.Edit
	for i := 0; i < len(pairs); i += 2 {
		if old := w.doc.Get(v, pairs[i]); old.Exists() {
			edits = append(edits, jsonscan.Edit{Start: old.Start - v.Start, End: old.End - v.Start, Text: []byte(pairs[i+1])})
		}
	}
	jsonscan.SortEdits(edits)
	return oneLine(string(jsonscan.Splice(nil, v.Raw(w.doc.Data), edits)))
}

// item adds an item and completes it. What comes in pieces is empty at first.
func (w *wholeWriter) item(v jsonscan.Value) {
	d := w.doc
	w.id = d.RawAt(v, "id")
	if w.id == "" {
		w.id = `""`
	}
	w.whole("response.output_item.added", w.with(v, "status", `"in_progress"`, "content", "[]", "summary", "[]", "arguments", `""`, "input", `""`))
	switch d.StrAt(v, "type") {
	case "message":
		w.parts(d.Get(v, "content"))
	case "reasoning":
		w.summary(d.Get(v, "summary"))
		w.parts(d.Get(v, "content"))
	case "function_call":
		w.text("response.function_call_arguments", "arguments", "", 0, d.Get(v, "arguments"))
	case "custom_tool_call":
		w.text("response.custom_tool_call_input", "input", "", 0, d.Get(v, "input"))
	}
	w.whole("response.output_item.done", w.with(v))
	w.index++
}

func (w *wholeWriter) whole(name, item string) {
	w.begin(name)
	w.Num("output_index", w.index)
	w.RawMember("item", item)
	w.finish()
}

// in opens an event of the item at hand. index is the name of the member that
// tells its parts apart, if it has some.
func (w *wholeWriter) in(name, index string, n int64) {
	w.begin(name)
	w.RawMember("item_id", w.id)
	w.Num("output_index", w.index)
	if index != "" {
		w.Num(index, n)
	}
}

// text tells a text in pieces, and then in one.
func (w *wholeWriter) text(name, member, index string, n int64, v jsonscan.Value) {
	for piece := range wire.Pieces(w.doc.Str(v)) {
		w.in(name+".delta", index, n)
		w.Str("delta", piece)
		w.end(name, "[]")
	}
	w.done(name, member, index, n, v, "[]")
}

func (w *wholeWriter) done(name, member, index string, n int64, v jsonscan.Value, logprobs string) {
	w.in(name+".done", index, n)
	w.Str(member, w.doc.Str(v))
	w.end(name, logprobs)
}

const outputText = "response.output_text"

// end ends an event of a text. Those of what is said have log probabilities.
func (w *wholeWriter) end(name, logprobs string) {
	if name == outputText {
		w.RawMember("logprobs", logprobs)
	}
	w.finish()
}

func (w *wholeWriter) part(name, index string, n int64, raw string) {
	w.in(name, index, n)
	w.RawMember("part", raw)
	w.finish()
}

// summary tells the paragraphs of a summary.
func (w *wholeWriter) summary(list jsonscan.Value) {
	n := int64(0)
	for p := range w.doc.Elements(list) {
		w.part("response.reasoning_summary_part.added", "summary_index", n, w.with(p, "text", `""`))
		w.text("response.reasoning_summary_text", "text", "summary_index", n, w.doc.Get(p, "text"))
		w.part("response.reasoning_summary_part.done", "summary_index", n, w.with(p))
		n++
	}
}

// parts tells the parts of a message, or of reasoning that is shown as it is.
func (w *wholeWriter) parts(list jsonscan.Value) {
	d := w.doc
	n := int64(0)
	for p := range d.Elements(list) {
		w.part("response.content_part.added", "content_index", n, w.with(p, "text", `""`, "refusal", `""`, "annotations", "[]", "logprobs", "[]"))
		switch d.StrAt(p, "type") {
		case "output_text":
			w.outputText(n, p)
		case "refusal":
			w.text("response.refusal", "refusal", "content_index", n, d.Get(p, "refusal"))
		case "reasoning_text":
			w.text("response.reasoning_text", "text", "content_index", n, d.Get(p, "text"))
		}
		w.part("response.content_part.done", "content_index", n, w.with(p))
		n++
	}
}

// outputText tells a text of a message, in one piece where the log probabilities
// of its tokens come with it.
func (w *wholeWriter) outputText(n int64, p jsonscan.Value) {
	d := w.doc
	text, logprobs := d.Get(p, "text"), d.Get(p, "logprobs")
	probable := false
	for range d.Elements(logprobs) {
		probable = true
		break
	}
	if probable {
		raw := oneLine(d.Raw(logprobs))
		w.in(outputText+".delta", "content_index", n)
		w.Str("delta", d.Str(text))
		w.end(outputText, raw)
		w.done(outputText, "text", "content_index", n, text, raw)
	} else {
		w.text(outputText, "text", "content_index", n, text)
	}
	i := int64(0)
	for a := range d.Elements(d.Get(p, "annotations")) {
		w.in("response.output_text.annotation.added", "content_index", n)
		w.Num("annotation_index", i)
		w.RawMember("annotation", oneLine(d.Raw(a)))
		w.finish()
		i++
	}
}
