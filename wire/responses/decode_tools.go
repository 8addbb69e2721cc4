package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// tools reads functions and custom tools. Every other type is a tool that the
// vendor runs, or that its model knows by heart (local_shell, apply_patch);
// its type is its name.
func (r *requestReader) tools(v jsonscan.Value) {
	if !r.is("tools", v, jsonscan.Array) {
		return
	}
	i := 0
	for t := range r.Elements(v) {
		param := at("tools", i)
		i++
		if !r.is(param, t, jsonscan.ObjectKind) {
			r.fail(param, "'"+param+"' must be an object")
			return
		}
		switch kind := r.str(param+".type", r.Get(t, "type")); kind {
		case "":
			r.fail(param+".type", "'"+param+".type' is required")
		case "function", "custom":
			r.tool(param, kind, t)
		default:
			r.req.Tools = append(r.req.Tools, wire.Tool{Name: kind, Raw: r.Raw(t), Vendor: wire.VendorOpenAI})
		}
	}
}

func (r *requestReader) tool(param, kind string, v jsonscan.Value) {
	t := wire.Tool{Name: r.str(param+".name", r.Get(v, "name")), Custom: kind == "custom"}
	if t.Name == "" {
		r.fail(param+".name", "'"+param+".name' is required")
		return
	}
	for name, val := range r.Members(v) {
		switch {
		case name == "type", name == "name":
		case name == "description":
			t.Description = r.str(param+".description", val)
		case name == "parameters" && !t.Custom:
			t.Schema = r.object(param+".parameters", val)
		case name == "strict" && !t.Custom:
			t.Strict = r.tri(param+".strict", val)
		case name == "format" && t.Custom:
			if r.is(param+".format", val, jsonscan.ObjectKind) && r.StrAt(val, "type") != "text" {
				t.Grammar = r.Raw(val)
			}
		default:
			r.extra(toolExtra(t.Name)+name, val)
		}
	}
	if !t.Custom && t.Strict == wire.Unset {
		// This dialect makes it strict; others would refuse one that leaves something open.
		if _, ok := t.Bound(); ok {
			t.Strict = wire.Yes
		}
	}
	r.req.Tools = append(r.req.Tools, t)
}

// toolExtra begins the name of a member of a tool that has no canonical
// place, such as defer_loading.
func toolExtra(tool string) string { return "tools[" + tool + "]." }

// toolChoice reads tool_choice. One that names more than a tool is kept as it
// is.
func (r *requestReader) toolChoice(v jsonscan.Value) {
	c := &r.req.ToolChoice
	switch v.Kind {
	case jsonscan.Invalid:
	case jsonscan.String:
		switch word := r.Str(v); word {
		case "auto", "none", "required":
			c.Mode = word
		default:
			r.fail("tool_choice", "'tool_choice' must be auto, none, required or a tool")
		}
	case jsonscan.ObjectKind:
		kind := r.StrAt(v, "type")
		switch name := r.StrAt(v, "name"); {
		case kind == "allowed_tools" && r.allowed(v):
		case (kind == "function" || kind == "custom") && name != "":
			c.Mode, c.Name = "named", name
		default:
			r.extra("tool_choice", v)
		}
	default:
		r.fail("tool_choice", "'tool_choice' must be a string or an object")
	}
}

// allowed reads a choice that narrows the tools; ok is false when it names
// one by more than its name.
func (r *requestReader) allowed(v jsonscan.Value) (ok bool) {
	mode := r.StrAt(v, "mode")
	if mode != "auto" && mode != "required" {
		return false
	}
	names := []string{}
	for t := range r.Elements(r.Get(v, "tools")) {
		name := r.StrAt(t, "name")
		switch kind := r.StrAt(t, "type"); {
		case (kind == "function" || kind == "custom") && name != "":
			names = append(names, name)
		case name == "" && kind != "" && !strings.HasPrefix(kind, "mcp"):
			names = append(names, kind)
		default:
			return false
		}
	}
	r.req.ToolChoice = wire.ToolChoice{Mode: mode, Allowed: names}
	return true
}
