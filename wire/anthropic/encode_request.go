package anthropic

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// writer writes one request.
type writer struct {
	jsonw.Writer
	req      *wire.Request
	loss     *wire.Loss
	ability  wire.Ability
	same     bool // the client speaks this dialect
	messages []wire.Message
	tools    []*wire.Tool
	marks    marks
	thinking thinking
}

// EncodeRequest appends the body that asks Claude for req. A block that is left
// out is gone before anything is written, so that marks and roles are right.
func (Codec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	w := &writer{req: req, loss: loss, ability: wire.AbilityOf(req.Model), same: req.Dialect == wire.Anthropic}
	if err := wire.RefuseState(req); err != nil && !w.same {
		return dst, err
	}
	if err := w.prepareMessages(); err != nil {
		return dst, err
	}
	w.prepareTools()
	w.marks = planMarks(w)
	w.thinking = w.think()

	w.B = dst
	w.Object()
	w.Str("model", req.Model)
	w.system()
	w.writeTools()
	w.toolChoice()
	w.writeMessages()
	w.options()
	w.extras()
	w.End()
	return w.B, nil
}

// system writes the instructions, and after them those that stand in for what
// the model has no parameter for.
func (w *writer) system() {
	blocks := make([]wire.Block, 0, len(w.req.System)+1)
	for _, b := range w.req.System {
		if !blank(b.Text) {
			blocks = append(blocks, b)
		}
	}
	if text := w.formatInstruction(); text != "" {
		blocks = append(blocks, wire.Block{Type: wire.TextBlock, Text: text})
	}
	switch {
	case len(blocks) == 0:
	case len(blocks) == 1 && blocks[0].Cache == nil:
		w.Str("system", blocks[0].Text)
	default:
		w.Key("system")
		w.Array()
		for i := range blocks {
			w.textBlock(&blocks[i])
		}
		w.EndArray()
	}
}

// formatInstruction asks for JSON in words where the model cannot be bound.
func (w *writer) formatInstruction() string {
	f := &w.req.Format
	switch {
	case f.Kind == "json_schema" && f.Schema != "" && !w.ability.NoFormat:
		return ""
	case f.Kind == "json_schema" && f.Schema != "":
		return "Answer with JSON that conforms to the following JSON schema, and with nothing else: no explanation, no code fence.\n" + f.Schema
	case f.Kind == "json_schema", f.Kind == "json_object":
		return "Answer with one JSON object and nothing else: no explanation, no code fence."
	default:
		return ""
	}
}

// extras writes back what only this dialect has, and notes it as lost for a
// client of another. Members of blocks are lost in any case: the blocks may
// stand elsewhere now.
func (w *writer) extras() {
	if !w.same {
		w.loss.DropExtra(w.req)
		return
	}
	for _, x := range w.req.State {
		w.member(x.Name, x.Raw)
	}
	for _, x := range w.req.Extra {
		switch {
		case strings.HasPrefix(x.Name, "messages["), strings.HasPrefix(x.Name, "system["):
			w.loss.Drop(x.Name)
		case strings.HasPrefix(x.Name, "tools["), strings.HasPrefix(x.Name, "output_config."), strings.HasPrefix(x.Name, "metadata."):
			// written where they belong
		default:
			w.member(x.Name, x.Raw)
		}
	}
}

// extrasUnder writes the members that were kept of the object prefix.
func (w *writer) extrasUnder(prefix string) {
	for _, x := range w.req.Extra {
		if name, ok := strings.CutPrefix(x.Name, prefix); ok && w.same {
			w.member(name, x.Raw)
		}
	}
}

// hasExtra reports whether the client's own member goes back as it was; a name
// that ends in a dot stands for all members below.
func (w *writer) hasExtra(name string) bool {
	for _, x := range w.req.Extra {
		if w.same && (x.Name == name || strings.HasSuffix(name, ".") && strings.HasPrefix(x.Name, name)) {
			return true
		}
	}
	return false
}

// member writes a member whose name a client chose.
func (w *writer) member(name, raw string) {
	w.String(name)
	w.B = append(w.B, ':')
	w.Raw(raw)
}

// blank reports whether text is nothing but white space, which the vendor
// refuses.
func blank(text string) bool { return strings.TrimSpace(text) == "" }
