package wire

import (
	"slices"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// closed is what vendors demand of every object of a schema that binds.
const closed = `"additionalProperties":false`

// CloseObjects adds additionalProperties:false to the objects of schema that
// say nothing about it. All other bytes stay, since prompt caches compare them.
// strict reports whether the result is what OpenAI takes as strict: closed, and
// without a property that may be left out.
func CloseObjects(schema string) (out string, strict bool) {
	data := []byte(schema)
	root, err := ParseAnswer(data)
	if err != nil {
		return schema, false
	}
	c := closer{data: data}
	c.schema(root)
	return c.write(schema), !c.loose
}

// Bound is the tool's schema as it can bind; ok is false where it leaves something
// open, which OpenAI refuses of strict tools.
func (t *Tool) Bound() (schema string, ok bool) { return CloseObjects(FunctionSchema(t.Schema)) }

func (c *closer) write(schema string) string {
	if len(c.ends) == 0 {
		return schema
	}
	data := c.data
	out := make([]byte, 0, len(data)+len(c.ends)*(len(closed)+1))
	from := 0
	for _, end := range c.ends { // inner objects end first, so ends ascend
		out = append(append(append(out, data[from:end]...), ','), closed...)
		from = end
	}
	return string(append(out, data[from:]...))
}

type closer struct {
	data  []byte
	ends  []int // offsets of the closing braces to write before
	loose bool  // something may be left out, or added
}

// schema walks the places where JSON Schema has schemas, and no others: an enum
// or a default may hold an object that only looks like one.
func (c *closer) schema(v jsonscan.Value) {
	if v.Kind != jsonscan.ObjectKind {
		return
	}
	object, said, composed := false, false, false
	var properties, required jsonscan.Value
	for key, m := range jsonscan.Members(c.data, v) {
		name := c.text(key)
		composed = composed || isComposition(name)
		switch name {
		case "type":
			object = object || m.Is(c.data, "object")
			for e := range jsonscan.Elements(c.data, m) {
				object = object || e.Is(c.data, "object")
			}
		case "additionalProperties":
			said = true
			open, ok := m.Bool(c.data)
			c.loose = c.loose || open || !ok
			c.schema(m)
		case "required":
			required = m
		case "properties":
			properties = m
			for _, e := range jsonscan.Members(c.data, m) {
				c.schema(e)
			}
		case "patternProperties", "$defs", "definitions", "dependentSchemas":
			for _, e := range jsonscan.Members(c.data, m) {
				c.schema(e)
			}
		case "items", "prefixItems", "anyOf", "allOf", "oneOf", "not", "if", "then", "else", "contains":
			c.schema(m)
			for e := range jsonscan.Elements(c.data, m) {
				c.schema(e)
			}
		}
	}
	switch {
	case !object || said:
	case composed && !properties.Exists(): // closed, it would forbid what the others allow
		c.loose = true
	default:
		c.ends = append(c.ends, v.End-1)
	}
	c.loose = c.loose || c.optional(properties, required)
}

// isComposition reports whether a member of a schema says what is allowed by
// other schemas.
func isComposition(name string) bool {
	return name == "$ref" || name == "anyOf" || name == "oneOf" || name == "allOf"
}

// optional reports whether a property is not required.
func (c *closer) optional(properties, required jsonscan.Value) bool {
	var names []string
	for e := range jsonscan.Elements(c.data, required) {
		names = append(names, c.text(e))
	}
	for key := range jsonscan.Members(c.data, properties) {
		if !slices.Contains(names, c.text(key)) {
			return true
		}
	}
	return false
}

// text is a name, however it is spelled.
func (c *closer) text(v jsonscan.Value) string {
	text, _ := v.Text(c.data, nil)
	return string(text)
}
