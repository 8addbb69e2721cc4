package responses_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
)

// TestStrict reads tools that do not say whether they are strict: they are where
// their schema can bind, and others' tools go out strict only so.
func TestStrict(t *testing.T) {
	const loose = `{"type":"object","properties":{"a":{"type":"string"}}}`
	const bound = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`
	const shut = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	for _, tt := range []struct {
		members string
		want    wire.Tri
		sent    string // by the same dialect, and by others
		others  string
		lost    string
	}{
		{`"parameters":` + loose, wire.Unset, `"parameters":` + loose, `"parameters":` + loose + `,"strict":false`, ""},
		{`"parameters":` + loose + `,"strict":null`, wire.Unset, `"parameters":` + loose, `"parameters":` + loose + `,"strict":false`, ""},
		{`"parameters":` + loose + `,"strict":true`, wire.Yes, `"parameters":` + loose + `,"strict":true`, `"parameters":` + loose + `,"strict":false`, "tools[f].strict"},
		{`"parameters":` + bound, wire.Yes, `"parameters":` + bound + `,"strict":true`, `"parameters":` + shut + `,"strict":true`, ""},
		{`"parameters":` + bound + `,"strict":false`, wire.No, `"parameters":` + bound + `,"strict":false`, `"parameters":` + bound + `,"strict":false`, ""},
		{`"parameters":{"type":"object"},"strict":false`, wire.No, `"parameters":{"type":"object"},"strict":false`, `"parameters":{"type":"object","properties":{}},"strict":false`, ""},
		{`"parameters":{},"strict":false`, wire.No, `"parameters":{},"strict":false`, `"parameters":{"type":"object","properties":{}},"strict":false`, ""},
		{`"parameters":null`, wire.Yes, `"parameters":null,"strict":true`, `"parameters":{"type":"object","properties":{},"additionalProperties":false},"strict":true`, ""},
	} {
		t.Run(tt.members, func(t *testing.T) {
			req, err := responses.Codec{}.DecodeRequest([]byte(`{"model":"m","input":"hi","tools":[{"type":"function","name":"f",` + tt.members + `}]}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := req.Tools[0].Strict; got != tt.want {
				t.Errorf("strict %v, want %v", got, tt.want)
			}
			check := func(sent, lost string) {
				t.Helper()
				got, loss := encodeRequest(t, req)
				if want := `"tools":[{"type":"function","name":"f",` + sent + `}]`; !strings.Contains(got, want) || loss.String() != lost {
					t.Errorf("%s, want %s; lost %q, want %q", got, want, loss, lost)
				}
			}
			check(tt.sent, "")
			req.Dialect, req.Spelling = wire.Anthropic, map[string]string{}
			check(tt.others, tt.lost)
		})
	}
}
