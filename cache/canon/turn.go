package canon

import "github.com/weirproxy/weir/internal/jsonscan"

// turn is what the canonical form forgets of a message: it joins neighbours of
// one role, moves the results of tools to the front and drops messages without
// content. Results of tools that follow each other are one turn in every
// dialect, and so is a text after them.
type turn struct {
	// speaker is the role, with one name for those that mean the same; empty for
	// items that are no messages.
	speaker string

	// result says that it begins with a tool's answer, moved that one stands
	// behind something else.
	result, moved bool

	empty bool
}

// turn reads a message or an item of any dialect.
func (r *reader) turn(v jsonscan.Value) (t turn) {
	kind := r.doc.StrAt(v, "type") // of an item of Responses
	switch role := r.doc.StrAt(v, "role"); {
	case kind == "function_call_output", kind == "custom_tool_call_output", role == "tool", role == "function" && r.doc.Get(v, "content").Exists():
		return turn{result: true}
	case kind != "" && kind != "message":
		return turn{}
	case role == "developer":
		t.speaker = "system"
	case role == "model":
		t.speaker = "assistant"
	case role == "": // in Gemini
		t.speaker = "user"
	default:
		t.speaker = role
	}
	content := r.doc.Get(v, "content")
	if parts := r.doc.Get(v, "parts"); parts.Exists() {
		content = parts
	}
	t.empty = hollow(r.doc.Data, content) && !r.doc.Get(v, "tool_calls").Exists()
	if t.speaker == "user" {
		r.answers(content, &t)
	}
	return t
}

// hollow reports whether content says nothing.
func hollow(data []byte, v jsonscan.Value) bool {
	switch v.Kind {
	case jsonscan.String:
		return v.Is(data, "")
	case jsonscan.Array:
		for range jsonscan.Elements(data, v) {
			return false
		}
		return true
	case jsonscan.ObjectKind:
		return false
	}
	return true
}

// answers notes where tools' answers stand in content, in Anthropic's or
// Gemini's way. A turn of nothing else has no speaker.
func (r *reader) answers(content jsonscan.Value, t *turn) {
	if content.Kind == jsonscan.ObjectKind {
		if r.answer(content) {
			t.result, t.speaker = true, ""
		}
		return
	}
	others, i := 0, 0
	for part := range r.doc.Elements(content) {
		switch is := r.answer(part); {
		case !is:
			others++
		case others > 0:
			t.moved = true
		default:
			t.result = true
		}
		i++
	}
	if i > 0 && others == 0 {
		t.speaker = ""
	}
}

func (r *reader) answer(part jsonscan.Value) bool {
	return r.doc.Get(part, "type").Is(r.doc.Data, "tool_result") ||
		r.doc.Get(part, "functionResponse").Exists() || r.doc.Get(part, "function_response").Exists()
}
