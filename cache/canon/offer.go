package canon

import "github.com/weirproxy/weir/wire"

func (w *writer) toolChoice(c *wire.ToolChoice) {
	w.text(tagChoiceMode, c.Mode)
	w.text(tagChoiceName, c.Name)
	if c.Allowed != nil { // none is allowed, when it is empty
		w.byte(tagChoiceAllowed)
		w.list(more, c.Allowed)
		w.byte(end)
	}
}

func (w *writer) tool(t *wire.Tool) {
	const (
		name byte = iota + 2
		description
		schema
		strict
		custom
		grammar
		raw
		vendor
	)
	w.byte(tagTool)
	w.text(name, t.Name)
	w.text(description, t.Description)
	w.raw(schema, t.Schema, asWritten)
	w.tri(strict, t.Strict)
	w.flag(custom, t.Custom)
	w.raw(grammar, t.Grammar, asWritten)
	w.raw(raw, t.Raw, asWritten)
	w.text(vendor, string(t.Vendor))
	w.byte(end)
	if t.Raw != "" {
		// It searches, runs or remembers something at the vendor's.
		w.stateful("tools[" + t.Name + "]")
	}
}

func (w *writer) format(f *wire.Format) {
	const (
		kind byte = iota + 2
		name
		description
		schema
		strict
	)
	w.byte(tagFormat)
	if f.Kind != "text" { // which every dialect means unasked
		w.text(kind, f.Kind)
	}
	w.text(name, f.Name)
	w.text(description, f.Description)
	w.raw(schema, f.Schema, asWritten)
	w.tri(strict, f.Strict)
	w.byte(end)
}

func (w *writer) reasoning(r *wire.Reasoning) {
	const (
		mode byte = iota + 2
		effort
		budget
		show
		encrypted
	)
	w.byte(tagReasoning)
	w.text(mode, r.Mode)
	w.text(effort, r.Effort)
	w.count(budget, r.Budget)
	w.text(show, r.Show)
	w.flag(encrypted, r.Encrypted)
	w.byte(end)
}
