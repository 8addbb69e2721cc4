package tokenizer

import "github.com/weirproxy/weir/internal/jsonscan"

// toolStyle is how tool definitions become tokens.
type toolStyle uint8

const (
	// toolNamespace: OpenAI renders them as a TypeScript namespace. (Known from
	// what the models say of their own prompt; hmarr/openai-chat-tokens, MIT,
	// worked it out.)
	toolNamespace toolStyle = iota
	// toolJSON: about the tokens of the JSON, times the family's toolRatio.
	toolJSON
)

// toolFrame is the JSON around the name, description and schema of a tool.
const toolFrame = 14

// The text around the tools is "# Tools\n\n## functions\n\nnamespace functions {"
// and "} // namespace functions", at the end of the system message. A prompt
// without one gets one; see rules.namespace.

// appendTool renders a tool for counting. schema is raw JSON, valid or not:
// anything that is no object counts as no parameters. A tool in a namespace
// begins with what ends the one before it, since ";\n\n//" is one piece to the
// tokenizer: so the counts of the tools add up.
func appendTool(dst []byte, style toolStyle, name, description, schema []byte) []byte {
	if style == toolJSON {
		dst = append(dst, name...)
		dst = append(dst, ' ')
		dst = append(dst, description...)
		dst = append(dst, ' ')
		return append(dst, schema...)
	}
	dst = append(dst, ";\n\n"...)
	if len(description) > 0 {
		dst = append(dst, "// "...)
		dst = append(dst, description...)
		dst = append(dst, '\n')
	}
	dst = append(dst, "type "...)
	dst = append(dst, name...)
	w := typeWriter{body: schema, dst: dst}
	root, err := jsonscan.Parse(schema)
	if err == nil && root.Kind == jsonscan.ObjectKind && w.hasMembers(jsonscan.Lookup(schema, root, "properties")) {
		w.write(" = (_: {\n")
		w.properties(root, 0)
		w.write("\n}) => any")
	} else {
		w.write(" = () => any")
	}
	return w.dst
}

// typeWriter renders a JSON schema as a TypeScript type.
type typeWriter struct {
	body, dst, scratch []byte
}

// maxTypeDepth bounds the nesting that is rendered.
const maxTypeDepth = 32

func (w *typeWriter) write(s string) { w.dst = append(w.dst, s...) }

func (w *typeWriter) text(v jsonscan.Value) {
	text, ok := v.Text(w.body, w.scratch[:0])
	if ok {
		w.dst = append(w.dst, text...)
	}
}

func (w *typeWriter) get(v jsonscan.Value, name string) jsonscan.Value {
	return jsonscan.Lookup(w.body, v, name)
}

func (w *typeWriter) hasMembers(v jsonscan.Value) bool {
	for range jsonscan.Members(w.body, v) {
		return true
	}
	return false
}

func (w *typeWriter) properties(object jsonscan.Value, depth int) {
	required := w.get(object, "required")
	first := true
	for name, property := range jsonscan.Members(w.body, w.get(object, "properties")) {
		if !first {
			w.write("\n")
		}
		first = false
		if d := w.get(property, "description"); d.Kind == jsonscan.String && depth < 2 {
			w.write("// ")
			w.text(d)
			w.write("\n")
		}
		w.text(name)
		if !w.contains(required, name) {
			w.write("?")
		}
		w.write(": ")
		w.typeOf(property, depth)
		w.write(",")
	}
}

func (w *typeWriter) contains(list, name jsonscan.Value) bool {
	want, _ := name.Text(w.body, w.scratch[:0])
	for e := range jsonscan.Elements(w.body, list) {
		if e.Is(w.body, string(want)) {
			return true
		}
	}
	return false
}

func (w *typeWriter) union(list jsonscan.Value, depth int) {
	n := 0
	for e := range jsonscan.Elements(w.body, list) {
		if n > 0 {
			w.write(" | ")
		}
		n++
		w.typeOf(e, depth)
	}
}

func (w *typeWriter) typeOf(v jsonscan.Value, depth int) {
	if depth > maxTypeDepth {
		return
	}
	if enum := w.get(v, "enum"); enum.Kind == jsonscan.Array {
		n := 0
		for e := range jsonscan.Elements(w.body, enum) {
			if n > 0 {
				w.write(" | ")
			}
			n++
			w.dst = append(w.dst, e.Raw(w.body)...)
		}
		return
	}
	for _, name := range [...]string{"anyOf", "oneOf"} {
		if list := w.get(v, name); list.Kind == jsonscan.Array {
			w.union(list, depth)
			return
		}
	}
	kind := v
	if v.Kind == jsonscan.ObjectKind {
		kind = w.get(v, "type")
	}
	switch {
	case kind.Kind == jsonscan.Array:
		w.union(kind, depth+1)
	case kind.Is(w.body, "object"):
		w.write("{\n")
		w.properties(v, depth+1)
		w.write("\n}")
	case kind.Is(w.body, "array"):
		if items := w.get(v, "items"); items.Exists() {
			w.typeOf(items, depth)
		} else {
			w.write("any")
		}
		w.write("[]")
	case kind.Is(w.body, "integer"):
		w.write("number")
	case kind.Kind == jsonscan.String:
		w.text(kind)
	default:
		w.write("any")
	}
}
