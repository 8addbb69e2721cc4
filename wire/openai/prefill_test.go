package openai_test

import (
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

// TestPrefill holds how servers are told to go on with the last message, and
// that others are not.
func TestPrefill(t *testing.T) {
	text := func(role wire.Role, s string) wire.Message {
		return wire.Message{Role: role, Blocks: []wire.Block{{Type: wire.TextBlock, Text: s}}}
	}
	req := &wire.Request{Model: "m", Messages: []wire.Message{text(wire.RoleUser, "a"), text(wire.RoleAssistant, "b"), text(wire.RoleUser, "c"), text(wire.RoleAssistant, "d")}}
	const before = `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"`
	for prefill, want := range map[wire.Prefill]string{
		wire.PrefillNone:     before + `}]}`,
		wire.PrefillMark:     before + `,"prefix":true}]}`,
		wire.PrefillTemplate: before + `}],"continue_final_message":true,"add_generation_prompt":false}`,
	} {
		got, err := openai.Codec{Prefill: prefill}.EncodeRequest(nil, req, wire.NewLoss(req))
		if string(got) != want || err != nil {
			t.Errorf("%v: %s, %v", prefill, got, err)
		}
	}
}
