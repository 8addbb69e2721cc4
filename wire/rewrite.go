package wire

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Rewrite says what to change in a body on its way to the upstream.
type Rewrite struct {
	// Model replaces the client's name for the model; empty leaves it.
	Model string

	// AskUsage adds stream_options.include_usage to streams that lack it.
	AskUsage bool

	// CapParam is written with Cap when the client set no cap; empty: none.
	CapParam string
	Cap      int64

	// OnlyCap is the member in which a chat's upstream takes the cap on generated
	// tokens, where it takes no other; empty where it knows what the client wrote.
	OnlyCap string
}

// Apply appends to dst the edited body as pieces, of Body where they can be.
// Everything that is not edited keeps its bytes: key order, number spelling,
// escapes and unknown members.
func (e *Envelope) Apply(dst [][]byte, rw Rewrite) [][]byte {
	if e.Operation.Dialect == Gemini {
		return e.applyGemini(dst, rw)
	}
	var (
		edits   [6]jsonscan.Edit
		inserts [3]insertion
		n, m    int
	)
	if rw.Model != "" && rw.Model != e.Model {
		raw := jsonscan.AppendString(nil, rw.Model)
		if v := e.fields.Get(fieldModel); v.Exists() {
			edits[n] = jsonscan.Edit{Start: v.Start, End: v.End, Text: raw}
			n++
		} else {
			inserts[m] = insertion{"model", raw}
			m++
		}
	}
	if rw.AskUsage && e.Stream && !e.IncludeUsage {
		switch v := e.fields.Get(fieldStreamOptions); {
		case v.Kind == jsonscan.ObjectKind:
			edits[n] = e.options.SetEdit(e.body, 0, "include_usage", []byte("true"))
			n++
		case v.Exists(): // null
			edits[n] = jsonscan.Edit{Start: v.Start, End: v.End, Text: []byte(`{"include_usage":true}`)}
			n++
		default:
			inserts[m] = insertion{"stream_options", []byte(`{"include_usage":true}`)}
			m++
		}
	}
	if rw.CapParam != "" && e.CapParam == "" {
		raw := strconv.AppendInt(nil, rw.Cap, 10)
		if v := e.member(rw.CapParam); v.Exists() { // null
			edits[n] = jsonscan.Edit{Start: v.Start, End: v.End, Text: raw}
			n++
		} else {
			inserts[m] = insertion{rw.CapParam, raw}
			m++
		}
	}
	for _, edit := range e.moveCap(edits[n:n], rw.OnlyCap) {
		edits[n] = edit
		n++
	}
	sortEdits(edits[:n])
	if m == 0 {
		return jsonscan.Pieces(dst, e.body, edits[:n])
	}
	tail := jsonscan.Edit{Start: e.fields.End - 1, End: e.fields.End - 1}
	for i, in := range inserts[:m] {
		if i > 0 || e.fields.Members > 0 {
			tail.Text = append(tail.Text, ',')
		}
		tail.Text = jsonscan.AppendString(tail.Text, in.name)
		tail.Text = append(tail.Text, ':')
		tail.Text = append(tail.Text, in.raw...)
	}
	edits[n] = tail
	return jsonscan.Pieces(dst, e.body, edits[:n+1])
}

// moveCap appends what makes the client's cap stand in the member param. A body
// that has a cap there already is its upstream's to read.
func (e *Envelope) moveCap(edits []jsonscan.Edit, param string) []jsonscan.Edit {
	if param == "" || e.Operation != Chat || e.CapParam == "" || e.CapParam == param {
		return edits
	}
	own, other := fieldMaxTokens, fieldMaxCompletionTokens
	if policyNames[own] != param {
		own, other = other, own
	}
	switch v := e.fields.Get(own); {
	case v.Kind == jsonscan.Null && v.Exists():
		edits = append(edits, e.fields.DeleteEdit(e.body, own))
	case v.Exists():
		return edits
	}
	return append(edits, e.fields.RenameEdit(other, param))
}

type insertion struct {
	name string
	raw  []byte
}

func sortEdits(edits []jsonscan.Edit) {
	for i := 1; i < len(edits); i++ {
		for j := i; j > 0 && edits[j].Start < edits[j-1].Start; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
}
