package anthropic

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// closed is what the vendor demands of every object of a schema that binds.
const closed = `"additionalProperties":false`

// closeObjects adds additionalProperties:false to the objects of schema that
// say nothing about it. All other bytes stay, since prompt caches compare them.
func closeObjects(schema string) string {
	data := []byte(schema)
	root, err := wire.ParseAnswer(data)
	if err != nil {
		return schema
	}
	c := closer{data: data}
	c.schema(root)
	if len(c.ends) == 0 {
		return schema
	}
	out := make([]byte, 0, len(data)+len(c.ends)*(len(closed)+1))
	from := 0
	for _, end := range c.ends { // inner objects end first, so ends ascend
		out = append(append(append(out, data[from:end]...), ','), closed...)
		from = end
	}
	return string(append(out, data[from:]...))
}

type closer struct {
	data []byte
	ends []int // offsets of the closing braces to write before
}

// schema walks the places where JSON Schema has schemas, and no others: an enum
// or a default may hold an object that only looks like one.
func (c *closer) schema(v jsonscan.Value) {
	if v.Kind != jsonscan.ObjectKind {
		return
	}
	object, said := false, false
	for key, m := range jsonscan.Members(c.data, v) {
		switch string(c.data[key.Start+1 : key.End-1]) {
		case "type":
			object = object || m.Is(c.data, "object")
			for e := range jsonscan.Elements(c.data, m) {
				object = object || e.Is(c.data, "object")
			}
		case "additionalProperties":
			said = true
			c.schema(m)
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
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
	if object && !said {
		c.ends = append(c.ends, v.End-1)
	}
}
