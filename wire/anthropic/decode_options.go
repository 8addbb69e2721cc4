package anthropic

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

func (r *reader) tools(v jsonscan.Value) {
	if !r.want("tools", v, jsonscan.Array) {
		return
	}
	for t := range r.Elements(v) {
		if !r.want("tools[]", t, jsonscan.ObjectKind) {
			return
		}
		r.req.Tools = append(r.req.Tools, r.tool(t))
	}
}

// tool reads a tool. One with a type other than custom is the vendor's own.
func (r *reader) tool(v jsonscan.Value) wire.Tool {
	t := wire.Tool{Name: r.StrAt(v, "name")}
	if kind := r.StrAt(v, "type"); kind != "" && kind != "custom" {
		t.Raw, t.Vendor = r.Raw(v), wire.VendorAnthropic
		if t.Name == "" { // mcp_toolset, toolsets of computer use
			t.Name = kind
		}
		return t
	}
	if t.Name == "" {
		r.fail("tools[].name", "every tool must have a 'name'")
	}
	for name, m := range r.Members(v) {
		if m.Kind == jsonscan.Null {
			continue
		}
		switch name {
		case "name", "type":
		case "description":
			t.Description = r.Str(m)
		case "input_schema":
			if r.want("tools["+t.Name+"].input_schema", m, jsonscan.ObjectKind) {
				t.Schema = r.Raw(m)
			}
		case "strict":
			t.Strict = r.Tri(m)
		case "cache_control":
			t.Cache = r.cacheMark(m)
		default: // defer_loading, input_examples, …
			r.extra("tools["+t.Name+"]."+name, m)
		}
	}
	return t
}

func (r *reader) toolChoice(v jsonscan.Value) {
	if !r.want("tool_choice", v, jsonscan.ObjectKind) {
		return
	}
	choice := &r.req.ToolChoice
	switch kind := r.Get(v, "type"); {
	case kind.Is(r.Data, "auto"):
		choice.Mode = "auto"
	case kind.Is(r.Data, "any"):
		choice.Mode = "required"
	case kind.Is(r.Data, "none"):
		choice.Mode = "none"
	case kind.Is(r.Data, "tool"):
		choice.Mode, choice.Name = "named", r.StrAt(v, "name")
		if choice.Name == "" {
			r.fail("tool_choice.name", "'tool_choice.name' must name a tool")
		}
	default:
		r.fail("tool_choice.type", "'tool_choice.type' must be 'auto', 'any', 'tool' or 'none'")
	}
	switch r.Tri(r.Get(v, "disable_parallel_tool_use")) {
	case wire.Yes:
		r.req.ParallelTools = wire.No
	case wire.No:
		r.req.ParallelTools = wire.Yes
	default:
		return
	}
	r.req.Spelling["parallel_tool_calls"] = "tool_choice.disable_parallel_tool_use"
}

func (r *reader) thinking(v jsonscan.Value) {
	if !r.want("thinking", v, jsonscan.ObjectKind) {
		return
	}
	reasoning := &r.req.Reasoning
	r.req.Spelling["reasoning_effort"] = "thinking"
	switch kind := r.Get(v, "type"); {
	case kind.Is(r.Data, "disabled"):
		reasoning.Mode = "off"
	case kind.Is(r.Data, "adaptive"):
		reasoning.Mode = "adaptive"
	case kind.Is(r.Data, "enabled"):
		reasoning.Mode, reasoning.Budget = "on", r.IntAt(v, "budget_tokens")
	case kind.Is(r.Data, "between_tools"): // nobody else has it
		reasoning.Mode = "adaptive"
		r.extra("thinking", v)
	default:
		r.fail("thinking.type", "'thinking.type' must be 'enabled', 'adaptive', 'between_tools' or 'disabled'")
	}
	switch display := r.Get(v, "display"); {
	case display.Is(r.Data, "omitted"):
		reasoning.Show = "none"
	case display.Kind == jsonscan.String:
		reasoning.Show = "auto"
	}
}

func (r *reader) outputConfig(v jsonscan.Value) {
	if !r.want("output_config", v, jsonscan.ObjectKind) {
		return
	}
	for name, m := range r.Members(v) {
		switch {
		case m.Kind == jsonscan.Null:
		case name == "effort":
			r.req.Reasoning.Effort = r.text("output_config.effort", m)
			if _, ok := r.req.Spelling["reasoning_effort"]; !ok {
				r.req.Spelling["reasoning_effort"] = "output_config.effort"
			}
		case name == "format":
			r.format("output_config.format", m)
		default:
			r.extra("output_config."+name, m)
		}
	}
}

func (r *reader) format(name string, v jsonscan.Value) {
	if !r.want(name, v, jsonscan.ObjectKind) {
		return
	}
	r.req.Spelling["response_format"] = name
	if !r.Get(v, "type").Is(r.Data, "json_schema") {
		r.fail(name+".type", "'"+name+".type' must be 'json_schema'")
		return
	}
	if schema := r.Get(v, "schema"); r.want(name+".schema", schema, jsonscan.ObjectKind) {
		r.req.Format = wire.Format{Kind: "json_schema", Schema: r.Raw(schema)}
	}
}
