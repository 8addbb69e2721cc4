package openai

import (
	"slices"

	"github.com/weirproxy/weir/wire"
)

// tools writes the tools, the choice among them and whether calls may come
// together. Tools that another vendor runs are left out.
func (w *requestWriter) tools() {
	req := w.req
	written := 0
	for i := range req.Tools {
		t := &req.Tools[i]
		if t.Raw != "" && (!w.own || t.Vendor != wire.VendorOpenAI) {
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
		w.choice() // refused where there are no tools
		w.tri("parallel_tool_calls", req.ParallelTools)
	} else if w.own {
		w.choice()
		w.tri("parallel_tool_calls", req.ParallelTools)
	}
}

func (w *requestWriter) tool(t *wire.Tool) {
	if t.Raw != "" {
		w.Raw(t.Raw)
		return
	}
	w.Object()
	switch {
	case t.Custom && !w.customs():
		w.Str("type", "function")
		w.Key("function")
		w.Object()
		w.Str("name", t.Name)
		w.StrIf("description", t.Description)
		w.RawMember("parameters", wire.CustomSchema)
		w.End()
	case t.Custom:
		w.Str("type", "custom")
		w.Key("custom")
		w.Object()
		w.Str("name", t.Name)
		w.StrIf("description", t.Description)
		w.grammar(t.Grammar)
		w.End()
	default:
		w.Str("type", "function")
		w.Key("function")
		w.Object()
		w.Str("name", t.Name)
		w.StrIf("description", t.Description)
		w.parameters(t)
		w.End()
	}
	w.blockMark(t.Cache)
	w.End()
}

// parameters writes the schema and whether it binds. A strict one must leave
// nothing open, or OpenAI refuses it.
func (w *requestWriter) parameters(t *wire.Tool) {
	schema, strict := t.Schema, t.Strict
	if schema != "" && !w.own {
		schema = wire.FunctionSchema(schema)
	}
	if strict == wire.Yes && !w.own {
		if bound, ok := t.Bound(); ok {
			schema = bound
		} else {
			w.loss.Drop("tools[" + t.Name + "].strict")
			strict = wire.Unset
		}
	}
	w.RawIf("parameters", schema)
	w.tri("strict", strict)
}

// customs reports whether the model takes custom tools. Other vendors' models
// get a function with one string in their place.
func (w *requestWriter) customs() bool { return w.own || w.vendor() == wire.VendorOpenAI }

// grammar writes the format of a custom tool. Responses has syntax and
// definition beside the type, chat in an object of their own.
func (w *requestWriter) grammar(raw string) {
	if raw == "" {
		return
	}
	w.Key("format")
	w.Object()
	w.Str("type", "grammar")
	w.Key("grammar")
	doc, err := wire.ParseDoc([]byte(raw))
	if w.own || err != nil {
		w.Raw(raw)
		w.End()
		return
	}
	g := doc.Root
	if inner := doc.Get(g, "grammar"); inner.Exists() {
		g = inner
	}
	w.Object()
	w.Str("syntax", doc.StrAt(g, "syntax"))
	w.Str("definition", doc.StrAt(g, "definition"))
	w.End()
	w.End()
}

func (w *requestWriter) choice() {
	c := w.req.ToolChoice
	switch {
	case c.Mode == "named":
		w.Key("tool_choice")
		w.toolRef(c.Name)
	case c.Allowed != nil && (c.Mode == "auto" || c.Mode == "required"):
		w.Key("tool_choice")
		w.Object()
		w.Str("type", "allowed_tools")
		w.Key("allowed_tools")
		w.Object()
		w.Str("mode", c.Mode)
		w.Key("tools")
		w.Array()
		for _, name := range c.Allowed {
			w.toolRef(name)
		}
		w.EndArray()
		w.End()
		w.End()
	default:
		w.StrIf("tool_choice", c.Mode)
	}
}

// toolRef names a tool in the form of its kind.
func (w *requestWriter) toolRef(name string) {
	kind := "function"
	if slices.ContainsFunc(w.req.Tools, func(t wire.Tool) bool { return t.Name == name && t.Custom && w.customs() }) {
		kind = "custom"
	}
	w.Object()
	w.Str("type", kind)
	w.Key(kind)
	w.Object()
	w.Str("name", name)
	w.End()
	w.End()
}

func (w *requestWriter) format() {
	f := w.req.Format
	if f.Kind == "" {
		return
	}
	w.Key("response_format")
	w.Object()
	w.Str("type", f.Kind)
	if f.Kind == "json_schema" {
		w.Key("json_schema")
		w.Object()
		name := f.Name
		if name == "" {
			name = defaultFormatName
		}
		w.Str("name", name)
		w.StrIf("description", f.Description)
		w.RawIf("schema", f.Schema)
		w.tri("strict", f.Strict)
		w.End()
	}
	w.End()
}
