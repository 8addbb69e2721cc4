package wire

import "github.com/weirproxy/weir/internal/jsonscan"

// emptySchema is the schema of a tool without arguments.
const emptySchema = `{"type":"object","properties":{}}`

// ObjectSchema is the schema of a tool for vendors that demand one, and at its
// root the type of an object.
func ObjectSchema(schema string) string {
	data := []byte(schema)
	root, err := ParseAnswer(data)
	switch {
	case err != nil || root.Kind != jsonscan.ObjectKind:
		return emptySchema
	case jsonscan.Lookup(data, root, "type").Exists():
		return schema
	}
	for range jsonscan.Members(data, root) {
		return schema[:root.Start+1] + `"type":"object",` + schema[root.Start+1:]
	}
	return emptySchema
}

// FunctionSchema is ObjectSchema for OpenAI, which refuses an object that names
// no properties, as tools of MCP servers that take nothing are described.
func FunctionSchema(schema string) string {
	schema = ObjectSchema(schema)
	data := []byte(schema)
	root, _ := ParseAnswer(data)
	if !jsonscan.Lookup(data, root, "type").Is(data, "object") {
		return schema
	}
	for key := range jsonscan.Members(data, root) {
		if name, _ := key.Text(data, nil); string(name) == "properties" || isComposition(string(name)) {
			return schema
		}
	}
	end := root.End - 1
	return schema[:end] + `,"properties":{}` + schema[end:]
}
