package gemini

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// jsonSchema is a Schema of the API, a dialect of OpenAPI 3.0, as JSON Schema:
// types in lower case, null as a type, counts as numbers. The order of the
// members stays, and a schema that is JSON Schema already keeps its bytes.
func jsonSchema(d *wire.Doc, v jsonscan.Value) string {
	s := schemas{d: d}
	s.schema(v)
	if !s.changed {
		return string(v.Raw(d.Data))
	}
	return string(s.w.B)
}

type schemas struct {
	d       *wire.Doc
	w       jsonw.Writer
	changed bool
}

func (s *schemas) key(name string) {
	s.w.String(name)
	s.w.B = append(s.w.B, ':')
}

func (s *schemas) raw(v jsonscan.Value) { s.w.Raw(string(v.Raw(s.d.Data))) }

// keywords are the names of Schema that are spelled otherwise in snake_case or
// in JSON Schema.
func keyword(name string) string {
	switch name = Camel(name); name {
	case "ref", "defs", "id", "anchor":
		return "$" + name
	default:
		return name
	}
}

func (s *schemas) schema(v jsonscan.Value) {
	if v.Kind != jsonscan.ObjectKind {
		s.raw(v)
		return
	}
	nullable := s.d.Bool(s.d.Get(v, "nullable"))
	s.w.Object()
	for own, val := range s.d.Members(v) {
		name := keyword(own)
		s.changed = s.changed || name != own
		switch name {
		case "nullable", "propertyOrdering":
			s.changed = true
			continue
		case "type":
			s.typ(val, nullable)
			continue
		}
		s.key(name)
		switch name {
		case "properties", "$defs", "patternProperties", "definitions":
			s.named(val)
		case "items", "additionalProperties", "not":
			s.schema(val)
		case "anyOf", "oneOf", "allOf", "prefixItems":
			s.list(val, nullable && name == "anyOf")
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			s.count(val)
		case "enum":
			s.enum(val, nullable)
		default:
			s.raw(val)
		}
	}
	s.w.End()
}

func (s *schemas) named(v jsonscan.Value) {
	if v.Kind != jsonscan.ObjectKind {
		s.raw(v)
		return
	}
	s.w.Object()
	for name, val := range s.d.Members(v) {
		s.key(name)
		s.schema(val)
	}
	s.w.End()
}

func (s *schemas) list(v jsonscan.Value, null bool) {
	if v.Kind != jsonscan.Array {
		s.raw(v)
		return
	}
	s.w.Array()
	for e := range s.d.Elements(v) {
		s.schema(e)
	}
	if null {
		s.w.Raw(`{"type":"null"}`)
	}
	s.w.EndArray()
}

func (s *schemas) enum(v jsonscan.Value, null bool) {
	if v.Kind != jsonscan.Array || !null {
		s.raw(v)
		return
	}
	s.w.Array()
	for e := range s.d.Elements(v) {
		s.raw(e)
	}
	s.w.Null()
	s.w.EndArray()
}

// count writes a count, which protocol buffers spell as a string.
func (s *schemas) count(v jsonscan.Value) {
	if v.Kind == jsonscan.String {
		text := s.d.Str(v)
		if n, err := wire.ParseAnswer([]byte(text)); err == nil && n.Kind == jsonscan.Number {
			s.changed = true
			s.w.Raw(text[n.Start:n.End])
			return
		}
	}
	s.raw(v)
}

// types are the members of the enum Type by number.
var types = [...]string{"", "string", "number", "integer", "boolean", "array", "object", "null"}

// typ writes the member type unless it says nothing.
func (s *schemas) typ(v jsonscan.Value, nullable bool) {
	name := ""
	switch v.Kind {
	case jsonscan.String:
		own := s.d.Str(v)
		name = strings.ToLower(own)
		s.changed = s.changed || name != own
	case jsonscan.Number:
		s.changed = true
		if n := s.d.Int(v); n > 0 && n < int64(len(types)) {
			name = types[n]
		}
	default: // a list of types, which is JSON Schema
		s.key("type")
		s.raw(v)
		return
	}
	if name == "" || name == "type_unspecified" {
		s.changed = true
		return
	}
	s.key("type")
	if !nullable {
		s.w.String(name)
		return
	}
	s.w.Array()
	s.w.String(name)
	s.w.String("null")
	s.w.EndArray()
}
