package anthropic

import "github.com/weirproxy/weir/wire"

func (w *writer) writeTools() {
	if len(w.tools) == 0 {
		return
	}
	w.Key("tools")
	w.Array()
	for _, t := range w.tools {
		if t.Raw != "" {
			w.Raw(t.Raw)
			continue
		}
		w.tool(t)
	}
	w.EndArray()
}

func (w *writer) tool(t *wire.Tool) {
	schema := t.Schema
	if t.Custom {
		schema = wire.CustomSchema
		if t.Grammar != "" {
			w.loss.Drop("tools[" + t.Name + "].format")
		}
	}
	w.Object()
	w.Str("name", t.Name)
	w.StrIf("description", t.Description)
	strict := t.Strict
	if strict == wire.Yes && w.ability.NoFormat {
		w.loss.Drop("tools[" + t.Name + "].strict")
		strict = wire.Unset
	}
	schema = wire.ObjectSchema(schema)
	if strict == wire.Yes {
		schema, _ = wire.CloseObjects(schema)
	}
	w.RawMember("input_schema", schema)
	if strict != wire.Unset {
		w.Flag("strict", strict == wire.Yes)
	}
	w.cacheMark(t.Cache)
	w.extrasUnder("tools[" + t.Name + "].")
	w.End()
}

func (w *writer) toolChoice() {
	choice, single := &w.req.ToolChoice, w.req.ParallelTools == wire.No
	kind := ""
	switch choice.Mode {
	case "auto":
		kind = "auto"
	case "required":
		kind = "any"
	case "named":
		kind = "tool"
	case "none":
		kind = "none"
	case "":
		if single {
			kind = "auto"
		}
	}
	if kind == "" {
		return
	}
	if len(w.tools) == 0 { // the vendor refuses a choice of nothing
		if w.forced() {
			w.loss.Drop("tool_choice")
		}
		return
	}
	w.Key("tool_choice")
	w.Object()
	w.Str("type", kind)
	if kind == "tool" {
		w.Str("name", choice.Name)
	}
	if kind != "none" && w.req.ParallelTools != wire.Unset {
		w.Flag("disable_parallel_tool_use", single)
	}
	w.End()
}

// forced reports whether the model must call a tool.
func (w *writer) forced() bool {
	return w.req.ToolChoice.Mode == "required" || w.req.ToolChoice.Mode == "named"
}
