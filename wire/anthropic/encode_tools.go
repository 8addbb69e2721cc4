package anthropic

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// emptySchema is the schema of a tool without arguments; the vendor demands one.
const emptySchema = `{"type":"object","properties":{}}`

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
	if strict == wire.Yes {
		schema, _ = wire.CloseObjects(schema)
	}
	w.RawMember("input_schema", objectSchema(schema))
	if strict != wire.Unset {
		w.Flag("strict", strict == wire.Yes)
	}
	w.cacheMark(t.Cache)
	w.extrasUnder("tools[" + t.Name + "].")
	w.End()
}

// objectSchema is schema with the type that the vendor demands at its root.
func objectSchema(schema string) string {
	data := []byte(schema)
	root, err := wire.ParseAnswer(data)
	switch {
	case schema == "" || err != nil || root.Kind != jsonscan.ObjectKind:
		return emptySchema
	case jsonscan.Lookup(data, root, "type").Exists():
		return schema
	}
	for range jsonscan.Members(data, root) {
		return schema[:root.Start+1] + `"type":"object",` + schema[root.Start+1:]
	}
	return emptySchema
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
