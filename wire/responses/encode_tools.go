package responses

import (
	"slices"

	"github.com/weirproxy/weir/wire"
)

// tools writes the tools, the choice among them and whether calls may come
// together. Tools that another vendor runs are left out.
func (w *requestWriter) tools() {
	written := 0
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		if t.Raw != "" && (t.Vendor != wire.VendorOpenAI || !w.own) {
			w.loss.Drop("tools[" + t.Name + "]")
			continue
		}
		if written == 0 {
			w.Key("tools")
			w.Array()
		}
		written++
		w.tool(t)
	}
	if written > 0 {
		w.EndArray()
	}
	if written > 0 || w.own { // refused where there are no tools
		w.choice()
		w.tri("parallel_tool_calls", w.req.ParallelTools)
	}
}

func (w *requestWriter) tool(t *wire.Tool) {
	if t.Raw != "" {
		w.Raw(t.Raw)
		return
	}
	if t.Cache != nil {
		w.loss.Drop("cache_control")
	}
	w.Object()
	if t.Custom {
		w.Str("type", "custom")
	} else {
		w.Str("type", "function")
	}
	w.Str("name", t.Name)
	w.StrIf("description", t.Description)
	if t.Custom {
		w.grammar(t.Grammar)
	} else {
		w.parameters(t)
	}
	w.members(w.nested(toolExtra(t.Name)))
	w.End()
}

// parameters writes the schema, which must be there and of an object, and whether
// it binds. Not said means true here and false elsewhere, so it is always said.
func (w *requestWriter) parameters(t *wire.Tool) {
	schema, strict := t.Schema, t.Strict
	if !w.own {
		schema = wire.FunctionSchema(schema)
	}
	if strict == wire.Yes && !w.own {
		if bound, ok := t.Bound(); ok {
			schema = bound
		} else { // refused
			w.loss.Drop(toolExtra(t.Name) + "strict")
			strict = wire.No
		}
	}
	if schema == "" {
		schema = "null"
	}
	w.RawMember("parameters", schema)
	if strict != wire.Unset || !w.own {
		w.Flag("strict", strict == wire.Yes)
	}
}

// grammar writes the format of a custom tool. Chat has syntax and definition
// in an object of their own, Responses beside the type.
func (w *requestWriter) grammar(raw string) {
	if raw == "" {
		return
	}
	doc, err := wire.ParseDoc([]byte(raw))
	if w.own || err != nil {
		w.RawMember("format", raw)
		return
	}
	g := doc.Root
	if inner := doc.Get(g, "grammar"); inner.Exists() {
		g = inner
	}
	w.Key("format")
	w.Object()
	w.Str("type", "grammar")
	w.Str("syntax", doc.StrAt(g, "syntax"))
	w.Str("definition", doc.StrAt(g, "definition"))
	w.End()
}

func (w *requestWriter) choice() {
	c := w.req.ToolChoice
	switch {
	case c.Mode == "named":
		w.Key("tool_choice")
		w.toolRef(c.Name)
	case c.Allowed != nil && c.Mode != "none":
		mode := "auto"
		if c.Mode == "required" {
			mode = c.Mode
		}
		w.Key("tool_choice")
		w.Object()
		w.Str("type", "allowed_tools")
		w.Str("mode", mode)
		w.Key("tools")
		w.Array()
		for _, name := range c.Allowed {
			w.toolRef(name)
		}
		w.EndArray()
		w.End()
	case c.Mode != "":
		w.Str("tool_choice", c.Mode)
	case w.own:
		for _, x := range w.req.Extra {
			if x.Name == "tool_choice" {
				w.member(x)
			}
		}
	}
}

// toolRef names a tool in the form of its kind.
func (w *requestWriter) toolRef(name string) {
	i := slices.IndexFunc(w.req.Tools, func(t wire.Tool) bool { return t.Name == name })
	w.Object()
	switch {
	case i >= 0 && w.req.Tools[i].Raw != "":
		w.Str("type", name)
	case i >= 0 && w.req.Tools[i].Custom:
		w.Str("type", "custom")
		w.Str("name", name)
	default:
		w.Str("type", "function")
		w.Str("name", name)
	}
	w.End()
}
