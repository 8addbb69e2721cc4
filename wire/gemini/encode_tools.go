package gemini

import "github.com/weirproxy/weir/wire"

// tools writes the declarations of functions, neighbours together, and the
// tools that Google runs.
func (e *encoder) tools() {
	w := &e.w
	before := len(w.B)
	w.Key("tools")
	w.Array()
	inside := len(w.B)
	open := false
	end := func() {
		if open {
			w.EndArray()
			w.End()
			open = false
		}
	}
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if t.Raw != "" {
			if t.Vendor != wire.VendorGemini {
				e.loss.Drop("tools[" + t.Name + "]")
				continue
			}
			end()
			w.Raw(t.Raw)
			continue
		}
		if !open {
			w.Object()
			w.Key("functionDeclarations")
			w.Array()
			open = true
		}
		e.function(t)
	}
	end()
	if len(w.B) == inside {
		w.B = w.B[:before]
		return
	}
	w.EndArray()
}

// function writes a declaration. parametersJsonSchema takes the client's
// schema as it is; parameters knows an old subset only.
func (e *encoder) function(t *wire.Tool) {
	w := &e.w
	schema := t.Schema
	if t.Custom {
		schema = wire.CustomSchema
		if t.Grammar != "" {
			e.loss.Drop("tools[" + t.Name + "].format")
		}
	}
	w.Object()
	w.Str("name", t.Name)
	w.StrIf("description", t.Description)
	w.RawIf("parametersJsonSchema", schema)
	w.End()
}

// toolConfig writes the choice of tools. It must not stand there without
// functions.
func (e *encoder) toolConfig() {
	e.object("toolConfig", func() {
		e.object("functionCallingConfig", func() {
			if functions, strict, some := e.functions(); functions || e.own {
				e.choice(strict)
				if some && !strict {
					e.loss.Drop("strict")
				}
			}
			e.extras("toolConfig.functionCallingConfig")
		})
		e.extras("toolConfig")
	})
}

// functions reports whether there are functions, and whether all or some of
// them are strict.
func (e *encoder) functions() (any, all, some bool) {
	all = true
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Raw == "" {
			any = true
			all = all && t.Strict == wire.Yes
			some = some || t.Strict == wire.Yes
		}
	}
	return any, any && all, some
}

// choice writes mode and allowedFunctionNames. Names go with ANY and VALIDATED
// only; the latter is AUTO in which calls follow their schema.
func (e *encoder) choice(strict bool) {
	w, choice := &e.w, &e.req.ToolChoice
	names := choice.Allowed
	switch choice.Mode {
	case "auto", "":
		switch {
		case strict, len(names) > 0 && !e.own:
			w.Str("mode", "VALIDATED")
		case choice.Mode == "auto":
			w.Str("mode", "AUTO")
		}
	case "none":
		w.Str("mode", "NONE")
		names = nil
	case "required":
		w.Str("mode", "ANY")
	case "named":
		w.Str("mode", "ANY")
		names = []string{choice.Name}
	}
	if len(names) > 0 {
		w.Key("allowedFunctionNames")
		w.Array()
		for _, name := range names {
			w.String(name)
		}
		w.EndArray()
	}
}
