package simulator

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Bounds of a sampled value: a schema may refer to itself, and every reference
// is decoded again.
const (
	maxDepth   = 16
	maxNodes   = 1000
	maxDecoded = 16 << 20 // bytes of schema
)

// schemaNode is the part of JSON Schema that structured output knows.
type schemaNode struct {
	Ref         string                     `json:"$ref"`
	Const       json.RawMessage            `json:"const"`
	Enum        []json.RawMessage          `json:"enum"`
	Default     json.RawMessage            `json:"default"`
	Type        stringList                 `json:"type"`
	Format      string                     `json:"format"`
	Properties  map[string]json.RawMessage `json:"properties"`
	Required    []string                   `json:"required"`
	Items       json.RawMessage            `json:"items"`
	MinItems    int                        `json:"minItems"`
	MinLength   int                        `json:"minLength"`
	MaxLength   *int                       `json:"maxLength"`
	Minimum     *float64                   `json:"minimum"`
	ExclMinimum *float64                   `json:"exclusiveMinimum"`
	Maximum     *float64                   `json:"maximum"`
	AnyOf       []json.RawMessage          `json:"anyOf"`
	OneOf       []json.RawMessage          `json:"oneOf"`
	AllOf       []json.RawMessage          `json:"allOf"`
	Defs        map[string]json.RawMessage `json:"$defs"`
	Definitions map[string]json.RawMessage `json:"definitions"`
}

// sampler makes one value of a schema.
type sampler struct {
	root    json.RawMessage
	defs    map[string]json.RawMessage
	seed    uint64
	nodes   int
	decoded int
}

// sample is an object that has the schema's required properties, in the order
// of `required`, each of its declared type.
func sample(schema json.RawMessage, seed uint64) []byte {
	var root schemaNode
	if len(schema) == 0 || json.Unmarshal(schema, &root) != nil {
		return []byte("{}")
	}
	s := sampler{root: schema, defs: root.Defs, seed: seed}
	if s.defs == nil {
		s.defs = root.Definitions
	}
	v := s.value(nil, schema, 0)
	if len(v) == 0 || v[0] != '{' {
		return []byte("{}")
	}
	return v
}

// jsonText answers a request for JSON; without a schema any object will do.
func jsonText(schema json.RawMessage, seed uint64) string {
	if len(schema) > 0 {
		return string(sample(schema, seed))
	}
	return string(format(nil, `{"answer":?}`, join(loremText{seed: seed, n: 8})))
}

func (s *sampler) value(dst []byte, schema json.RawMessage, depth int) []byte {
	s.nodes++
	s.decoded += len(schema)
	var n schemaNode
	if depth > maxDepth || s.spent() || json.Unmarshal(schema, &n) != nil {
		return append(dst, "null"...)
	}
	switch {
	case n.Ref != "":
		return s.value(dst, s.resolve(n.Ref), depth+1)
	case len(n.Const) > 0:
		return append(dst, compact(n.Const)...)
	case len(n.Enum) > 0:
		return append(dst, compact(n.Enum[0])...)
	case len(n.Default) > 0:
		return append(dst, compact(n.Default)...)
	}
	if len(n.Type) == 0 && n.Properties == nil {
		for _, list := range [][]json.RawMessage{n.AnyOf, n.OneOf, n.AllOf} {
			if len(list) > 0 {
				return s.value(dst, list[0], depth+1)
			}
		}
	}
	switch n.kind() {
	case "object":
		return s.object(dst, &n, depth)
	case "array":
		dst = append(dst, '[')
		for i := range min(max(n.MinItems, 1), maxNodes) {
			if s.spent() || len(n.Items) == 0 {
				break
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = s.value(dst, n.Items, depth+1)
		}
		return append(dst, ']')
	case "integer", "number":
		return strconv.AppendInt(dst, n.integer(), 10)
	case "boolean":
		return append(dst, "true"...)
	case "null":
		return append(dst, "null"...)
	}
	return appendValue(dst, s.text(&n))
}

func (s *sampler) spent() bool { return s.nodes > maxNodes || s.decoded > maxDecoded }

func (n *schemaNode) kind() string {
	for _, t := range n.Type {
		if t != "null" {
			return t
		}
	}
	if len(n.Type) > 0 {
		return "null"
	}
	if n.Properties != nil {
		return "object"
	}
	return "string"
}

func (s *sampler) object(dst []byte, n *schemaNode, depth int) []byte {
	dst = append(dst, '{')
	for i, name := range n.Required {
		if s.spent() {
			break
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, name)
		dst = append(dst, ':')
		dst = s.value(dst, n.Properties[name], depth+1) // null when it is not declared
	}
	return append(dst, '}')
}

func (n *schemaNode) integer() int64 {
	v := 1.0
	if n.Minimum != nil {
		v = max(v, *n.Minimum)
	}
	if n.ExclMinimum != nil {
		v = max(v, *n.ExclMinimum+1)
	}
	if n.Maximum != nil {
		v = min(v, *n.Maximum)
	}
	return int64(v)
}

var formats = map[string]string{
	"date": "2026-01-02", "date-time": "2026-01-02T03:04:05Z", "time": "03:04:05Z", "duration": "PT1M",
	"email": "user@example.com", "hostname": "example.com", "uri": "https://example.com/",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uuid": "00000000-0000-4000-8000-000000000000",
}

func (s *sampler) text(n *schemaNode) string {
	if v, ok := formats[n.Format]; ok {
		return v
	}
	v := vocabulary[mix(s.seed+uint64(s.nodes))%uint64(len(vocabulary))]
	if short := min(n.MinLength, 1<<16) - len(v); short > 0 {
		v += strings.Repeat("x", short)
	}
	if n.MaxLength != nil && *n.MaxLength >= 0 && *n.MaxLength < len(v) {
		v = v[:*n.MaxLength]
	}
	return v
}

// resolve finds what a reference within the document means.
func (s *sampler) resolve(ref string) json.RawMessage {
	if ref == "#" {
		return s.root
	}
	return s.defs[ref[strings.LastIndexByte(ref, '/')+1:]]
}
