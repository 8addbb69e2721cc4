package bedrock

import (
	"slices"

	"github.com/weirproxy/weir/wire"
)

// toolConfig writes the tools and the choice among them. The vendor has no
// choice of none: tools are left out instead, unless the conversation has calls,
// which it refuses without them.
func (e *encoder) toolConfig() {
	req := e.req
	choice := req.ToolChoice
	history := hasCalls(req)
	if choice.Mode == "none" {
		if !history {
			return
		}
		e.loss.Drop("tool_choice")
	}
	tools := e.offered()
	switch {
	case len(tools) > 0:
	case history:
		tools = standIns(req)
	default:
		if choice.Mode == "required" || choice.Mode == "named" {
			e.loss.Drop("tool_choice")
		}
		return
	}
	e.Key("toolConfig")
	e.Object()
	e.Key("tools")
	e.Array()
	for _, t := range tools {
		e.tool(t)
	}
	e.EndArray()
	e.toolChoice(choice)
	e.End()
}

// offered are the tools that the model may use this time.
func (e *encoder) offered() []*wire.Tool {
	var tools []*wire.Tool
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		switch {
		case t.Raw != "" && t.Vendor != wire.VendorBedrock:
			e.loss.Drop("tools[" + t.Name + "]")
		case e.req.ToolChoice.Allowed == nil || slices.Contains(e.req.ToolChoice.Allowed, t.Name):
			tools = append(tools, t)
		}
	}
	return tools
}

// standIns declare the tools that the conversation called when the client
// declares none any more.
func standIns(req *wire.Request) []*wire.Tool {
	var tools []*wire.Tool
	for i := range req.Messages {
		for j := range req.Messages[i].Blocks {
			name := ""
			switch b := &req.Messages[i].Blocks[j]; b.Type {
			case wire.CallBlock:
				name = b.Call.Name
			case wire.ResultBlock:
				name = b.Result.Name
			}
			if name != "" && !slices.ContainsFunc(tools, func(t *wire.Tool) bool { return t.Name == name }) {
				tools = append(tools, &wire.Tool{Name: name})
			}
		}
	}
	if tools == nil {
		tools = []*wire.Tool{{Name: "tool"}}
	}
	return tools
}

func (e *encoder) tool(t *wire.Tool) {
	if t.Raw != "" {
		e.Raw(t.Raw)
		return
	}
	schema := t.Schema
	if t.Custom {
		schema = wire.CustomSchema
		if t.Grammar != "" {
			e.loss.Drop("tools[" + t.Name + "].format")
		}
	}
	schema = wire.ObjectSchema(schema)
	strict := t.Strict == wire.Yes
	if strict && e.req.Dialect != wire.Bedrock {
		if e.maker != makerClaude || e.ability.NoFormat {
			e.loss.Drop("tools[" + t.Name + "].strict")
			strict = false
		} else {
			schema, _ = wire.CloseObjects(schema)
		}
	}
	e.Object()
	e.Key("toolSpec")
	e.Object()
	e.Str("name", t.Name)
	e.StrIf("description", t.Description)
	e.Key("inputSchema")
	e.Object()
	e.RawMember("json", schema)
	e.End()
	if strict {
		e.Flag("strict", true)
	}
	e.End()
	e.End()
	if t.Cache != nil {
		if e.maker == makerNova { // Nova keeps system and messages only
			e.loss.Drop("cache_control")
		} else {
			e.mark(t.Cache)
		}
	}
}

// toolChoice writes the choice. Claude's switch against parallel calls is a
// member of its own tool_choice, which then stands for Converse's.
func (e *encoder) toolChoice(choice wire.ToolChoice) {
	serial := e.req.ParallelTools == wire.No
	if serial && e.maker != makerClaude {
		e.loss.Drop("parallel_tool_calls")
		serial = false
	}
	kind := ""
	switch choice.Mode {
	case "auto":
		kind = "auto"
	case "required":
		kind = "any"
	case "named":
		kind = "tool"
	default:
		if serial {
			kind = "auto"
		}
	}
	if kind == "" {
		return
	}
	if serial {
		w := &encoder{}
		w.Object()
		w.Str("type", kind)
		if kind == "tool" {
			w.Str("name", choice.Name)
		}
		w.Flag("disable_parallel_tool_use", true)
		w.End()
		e.choice = string(w.B)
		return
	}
	e.Key("toolChoice")
	e.Object()
	e.Key(kind)
	e.Object()
	if kind == "tool" {
		e.Str("name", choice.Name)
	}
	e.End()
	e.End()
}
