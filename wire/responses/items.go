package responses

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// The writers of output items and their parts, whole.

func writeSummary(w *jsonw.Writer, text string) {
	w.Object()
	w.Str("type", "summary_text")
	w.Str("text", text)
	w.End()
}

// writeReasoning writes a reasoning item. Without encrypted content it has no
// such member, as when OpenAI is not asked for it.
func writeReasoning(w *jsonw.Writer, id, status string, text []byte, held string) {
	w.Object()
	w.Str("id", id)
	w.Str("type", "reasoning")
	w.Str("status", status)
	w.Key("summary")
	w.Array()
	if len(text) > 0 {
		w.Object()
		w.Str("type", "summary_text")
		w.Key("text")
		w.Text(text)
		w.End()
	}
	w.EndArray()
	w.StrIf("encrypted_content", held)
	w.End()
}

// writeMessage writes a message item; parts come without brackets.
func writeMessage(w *jsonw.Writer, id, status string, parts []byte) {
	w.Object()
	w.Str("id", id)
	w.Str("type", "message")
	w.Str("status", status)
	w.Str("role", "assistant")
	w.Key("content")
	w.Array()
	w.B = append(w.B, parts...)
	w.EndArray()
	w.End()
}

// writePart writes a part of a message. annotations and logprobs come without
// brackets.
func writePart(w *jsonw.Writer, refusal bool, text, annotations, logprobs []byte) {
	w.Object()
	if refusal {
		w.Str("type", "refusal")
		w.Key("refusal")
		w.Text(text)
		w.End()
		return
	}
	w.Str("type", "output_text")
	w.Key("text")
	w.Text(text)
	w.Key("annotations")
	w.Array()
	w.B = append(w.B, annotations...)
	w.EndArray()
	w.Key("logprobs")
	w.Array()
	w.B = append(w.B, logprobs...)
	w.EndArray()
	w.End()
}

func writeCitation(w *jsonw.Writer, c *wire.Citation) {
	w.Object()
	w.Str("type", "url_citation")
	w.Num("start_index", c.Start)
	w.Num("end_index", c.End)
	w.Str("title", c.Title)
	w.Str("url", c.URL)
	w.End()
}

// call is the call of an output item while it is written.
type call struct {
	item, id, name string
	custom         bool
}

func (c *call) write(w *jsonw.Writer, status string, arguments []byte) {
	w.Object()
	w.Str("id", c.item)
	if c.custom {
		w.Str("type", "custom_tool_call")
	} else {
		w.Str("type", "function_call")
	}
	w.Str("status", status)
	w.Str("call_id", c.id)
	w.Str("name", c.name)
	if c.custom {
		w.Key("input")
	} else {
		w.Key("arguments")
	}
	w.Text(arguments)
	w.End()
}

// callStatus is the status of a call that ended. A model that was cut off
// leaves arguments that are no JSON.
func (c *call) status(arguments []byte) string {
	if !c.custom {
		if _, err := wire.ParseAnswer(arguments); err != nil {
			return "incomplete"
		}
	}
	return "completed"
}

// appendLogProbs appends the tokens of chat's logprobs object, raw, to a list
// without brackets.
func appendLogProbs(dst []byte, d *wire.Doc, raw []byte) []byte {
	if len(raw) == 0 || d.Reset(raw) != nil {
		return dst
	}
	list := d.Root
	if list.Kind == jsonscan.ObjectKind {
		list = d.Get(list, "content")
	}
	for e := range d.Elements(list) {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		for _, c := range e.Raw(raw) {
			if c != '\n' && c != '\r' {
				dst = append(dst, c)
			}
		}
	}
	return dst
}
