package anthropic_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
)

// TestSchemaIsClosed checks where additionalProperties is added, and that no
// other byte moves.
func TestSchemaIsClosed(t *testing.T) {
	const c = `,"additionalProperties":false`
	for _, tt := range []struct{ name, schema, want string }{
		{"spacing", "{ \"type\": \"object\",\n \"properties\": {} }", "{ \"type\": \"object\",\n \"properties\": {} " + c + "}"},
		{"said", `{"type":"object","additionalProperties":true}`, `{"type":"object","additionalProperties":true}`},
		{"nested", `{"type":"object","properties":{"type":{"type":["object","null"]},"l":{"type":"array","items":{"type":"object"}}},"$defs":{"d":{"anyOf":[{"type":"object"},{"type":"string"}]}}}`, `{"type":"object","properties":{"type":{"type":["object","null"]` + c + `},"l":{"type":"array","items":{"type":"object"` + c + `}}},"$defs":{"d":{"anyOf":[{"type":"object"` + c + `},{"type":"string"}]}}` + c + `}`},
		{"no schemas", `{"enum":[{"type":"object"}],"default":{"type":"object"}}`, `{"enum":[{"type":"object"}],"default":{"type":"object"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := &wire.Request{Model: "m", Messages: hello(), Format: wire.Format{Kind: "json_schema", Schema: tt.schema}}
			got, err := anthropic.Codec{}.EncodeRequest(nil, req, wire.NewLoss(req))
			if err != nil || !strings.Contains(string(got), `"schema":`+tt.want+`}`) {
				t.Errorf("error %v\n%s", err, got)
			}
		})
	}
}
