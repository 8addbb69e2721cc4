package gemini

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// result writes a functionResponse. Gemini 3 takes media in it; those for
// older models are returned, to follow in the user's turn.
func (e *encoder) result(res *wire.Result) (moved []*wire.Block, err error) {
	w := &e.w
	w.Object()
	w.Key("functionResponse")
	w.Object()
	w.StrIf("id", res.CallID)
	name := res.Name
	if name == "" { // demanded, and the call that had it is gone
		name = res.CallID
	}
	w.Str("name", name)
	w.Key("response")
	e.response(wire.JoinText(res.Content), res.IsError)
	parts := false
	for i := range res.Content {
		b := &res.Content[i]
		switch b.Type {
		case wire.TextBlock, wire.RefusalBlock:
		case wire.ImageBlock, wire.DocumentBlock, wire.AudioBlock, wire.VideoBlock:
			if !e.own && !e.ability.Levels {
				moved = append(moved, b)
				continue
			}
			if !parts {
				w.Key("parts")
				w.Array()
				parts = true
			}
			if err := e.mediaPart(b); err != nil {
				return nil, err
			}
		default:
			return nil, wire.Unmappable(e.where, "a "+b.Type.String()+" in a tool's result", "Gemini")
		}
	}
	if parts {
		w.EndArray()
	}
	w.End()
	w.End()
	return moved, nil
}

// response writes a tool's text as the object that Gemini wants: an object
// that the text already is, or the text in a member of its own.
func (e *encoder) response(text string, isError bool) {
	w := &e.w
	if !isError && isPlainObject(text) {
		w.Raw(text)
		return
	}
	w.Object()
	if isError {
		w.Str("error", text)
	} else {
		w.Str("result", text)
	}
	w.End()
}

// isPlainObject reports whether text is an object that nobody will take for a
// wrapped text.
func isPlainObject(text string) bool {
	if text == "" || text[0] != '{' {
		return false
	}
	data := []byte(text)
	root, err := jsonscan.Parse(data)
	if err != nil || root.End != len(data) {
		return false
	}
	count, wrapper := 0, false
	for key, value := range jsonscan.Members(data, root) {
		name, _ := key.Text(data, nil)
		wrapper = isWrapper(string(name)) && value.Kind != jsonscan.Null
		count++
	}
	return count != 1 || !wrapper
}
