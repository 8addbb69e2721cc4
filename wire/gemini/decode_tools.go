package gemini

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// tool reads one element of tools: declarations of functions, or tools that
// Google runs.
func (r *reader) tool(v jsonscan.Value, at *path) {
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		if name == "functionDeclarations" {
			r.each(v, at, func(at *path, v jsonscan.Value) { r.function(v, at) })
			return
		}
		raw := append(jsonscan.AppendString([]byte{'{'}, at.name), ':')
		raw = append(append(raw, v.Raw(r.Data)...), '}')
		r.req.Tools = append(r.req.Tools, wire.Tool{Name: name, Raw: string(raw), Vendor: wire.VendorGemini})
	})
}

func (r *reader) function(v jsonscan.Value, at *path) {
	var t wire.Tool
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "name":
			t.Name = r.text(v, at)
		case "description":
			t.Description = r.text(v, at)
		case "parameters", "parametersJsonSchema":
			if t.Schema != "" {
				r.fail(at, "stands beside another schema of the same function")
				return
			}
			if v.Kind != jsonscan.ObjectKind {
				r.fail(at, "must be an object")
				return
			}
			if t.Schema = r.Raw(v); name == "parameters" {
				t.Schema = jsonSchema(r.Doc, v)
			}
		default:
			r.extra(at, v)
		}
	})
	if t.Name == "" {
		r.fail(at.member("name"), "is missing")
	}
	r.req.Tools = append(r.req.Tools, t)
}

func (r *reader) toolConfig(v jsonscan.Value, at *path) {
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		if name != "functionCallingConfig" {
			r.extra(at, v)
			return
		}
		r.spelled("tool_choice", at)
		var mode string
		var allowed []string
		r.members(v, at, func(name string, at *path, v jsonscan.Value) {
			switch name {
			case "mode":
				mode = r.text(v, at)
			case "allowedFunctionNames":
				allowed = r.strings(v, at)
			default:
				r.extra(at, v)
			}
		})
		r.choice(mode, allowed, at)
	})
}

// validatedMode is the mode of a choice until the tools are known, which may
// stand behind it in the body.
const validatedMode = "validated"

func (r *reader) choice(mode string, allowed []string, at *path) {
	choice := &r.req.ToolChoice
	switch mode {
	case "", "MODE_UNSPECIFIED":
		choice.Allowed = allowed
	case "AUTO", "auto":
		choice.Mode, choice.Allowed = "auto", allowed
	case "VALIDATED", "validated":
		choice.Mode, choice.Allowed = validatedMode, allowed
	case "NONE", "none":
		choice.Mode = "none"
	case "ANY", "any":
		if len(allowed) == 1 {
			choice.Mode, choice.Name = "named", allowed[0]
			return
		}
		choice.Mode, choice.Allowed = "required", allowed
	default:
		r.fail(at.member("mode"), "must be AUTO, ANY, NONE or VALIDATED")
	}
}

// validated turns the mode VALIDATED into what other vendors call strict.
func (r *reader) validated() {
	if r.req.ToolChoice.Mode != validatedMode {
		return
	}
	r.req.ToolChoice.Mode = "auto"
	for i := range r.req.Tools {
		if t := &r.req.Tools[i]; t.Raw == "" {
			t.Strict = wire.Yes
		}
	}
}
