package openai

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// tools reads tools, or the functions of old clients, which may call one at a
// time only.
func (r *requestReader) tools(name string, v jsonscan.Value) {
	if !r.is(name, v, jsonscan.Array) {
		return
	}
	i := 0
	for t := range r.Elements(v) {
		param := at(name, i)
		i++
		if !r.is(param, t, jsonscan.ObjectKind) {
			continue
		}
		if name == "functions" {
			r.function(param, t, t)
			r.req.Spelling["tools"] = name
			r.req.ParallelTools = wire.No
			continue
		}
		switch kind := r.StrAt(t, "type"); {
		case kind == "custom":
			r.custom(param+".custom", t, r.Get(t, "custom"))
		case kind == "function", kind == "" && r.Get(t, "function").Exists():
			r.function(param+".function", t, r.Get(t, "function"))
		case kind == "":
			r.fail(param+".type", "'"+param+".type' is required")
		default: // a tool that the vendor runs itself
			r.req.Tools = append(r.req.Tools, wire.Tool{Name: kind, Raw: r.Raw(t), Vendor: wire.VendorOpenAI})
		}
	}
}

func (r *requestReader) function(param string, t, f jsonscan.Value) {
	tool := wire.Tool{
		Name:        r.toolName(param, f),
		Description: r.str(param+".description", r.Get(f, "description")),
		Schema:      r.object(param+".parameters", r.Get(f, "parameters")),
		Strict:      r.tri(param+".strict", r.Get(f, "strict")),
		Cache:       r.marked(t),
	}
	if tool.Cache == nil {
		tool.Cache = r.marked(f)
	}
	r.req.Tools = append(r.req.Tools, tool)
}

func (r *requestReader) custom(param string, t, c jsonscan.Value) {
	r.req.Tools = append(r.req.Tools, wire.Tool{
		Name:        r.toolName(param, c),
		Description: r.str(param+".description", r.Get(c, "description")),
		Custom:      true,
		Grammar:     r.RawAt(c, "format", "grammar"),
		Cache:       r.marked(t),
	})
}

func (r *requestReader) toolName(param string, v jsonscan.Value) string {
	name := r.str(param+".name", r.Get(v, "name"))
	if name == "" {
		r.fail(param+".name", "'"+param+".name' is required")
	}
	return name
}

// toolChoice reads tool_choice and function_call. A choice of a tool that the
// vendor runs is kept as it is.
func (r *requestReader) toolChoice(v jsonscan.Value) {
	choice := &r.req.ToolChoice
	switch v.Kind {
	case jsonscan.String:
		switch word := r.Str(v); word {
		case "auto", "none", "required":
			choice.Mode = word
		case "any": // Mistral
			choice.Mode = "required"
		default:
			r.fail("tool_choice", "'tool_choice' must be auto, none, required or a tool")
		}
	case jsonscan.ObjectKind:
		name := r.StrAt(v, "function", "name")
		if name == "" {
			name = r.StrAt(v, "custom", "name")
		}
		if name == "" && !r.Get(v, "type").Exists() { // function_call
			name = r.StrAt(v, "name")
		}
		switch {
		case name != "":
			choice.Mode, choice.Name = "named", name
		case r.StrAt(v, "type") == "allowed_tools":
			r.allowed(v)
		default:
			r.extra("tool_choice", v)
		}
	default:
		r.is("tool_choice", v, jsonscan.String)
	}
}

func (r *requestReader) allowed(v jsonscan.Value) {
	set := r.Get(v, "allowed_tools")
	choice := &r.req.ToolChoice
	choice.Mode = "auto"
	if r.StrAt(set, "mode") == "required" {
		choice.Mode = "required"
	}
	choice.Allowed = []string{}
	for t := range r.Elements(r.Get(set, "tools")) {
		name := r.StrAt(t, "function", "name")
		if name == "" {
			name = r.StrAt(t, "custom", "name")
		}
		if name != "" {
			choice.Allowed = append(choice.Allowed, name)
		}
	}
}

// defaultFormatName names a schema that came without a name, which OpenAI
// demands.
const defaultFormatName = "response"

func (r *requestReader) format(v jsonscan.Value) {
	if !r.is("response_format", v, jsonscan.ObjectKind) {
		return
	}
	f := &r.req.Format
	switch kind := r.StrAt(v, "type"); kind {
	case "text":
		f.Kind = kind
	case "json_object":
		f.Kind = kind
		if schema := r.Get(v, "schema"); schema.Kind == jsonscan.ObjectKind { // Together, Fireworks, llama.cpp
			f.Kind, f.Name, f.Schema = "json_schema", defaultFormatName, r.Raw(schema)
		}
	case "json_schema":
		s := r.Get(v, "json_schema")
		if !r.is("response_format.json_schema", s, jsonscan.ObjectKind) {
			r.fail("response_format.json_schema", "'response_format.json_schema' is required")
			return
		}
		f.Kind = kind
		f.Name = r.str("response_format.json_schema.name", r.Get(s, "name"))
		if f.Name == "" {
			f.Name = defaultFormatName
		}
		f.Description = r.str("response_format.json_schema.description", r.Get(s, "description"))
		f.Schema = r.object("response_format.json_schema.schema", r.Get(s, "schema"))
		f.Strict = r.tri("response_format.json_schema.strict", r.Get(s, "strict"))
	default:
		r.extra("response_format", v)
	}
}
