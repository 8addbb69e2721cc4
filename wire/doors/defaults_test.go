package doors_test

import (
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// TestDefaultsAreNoLoss sends what libraries send unasked: `unmapped reject`
// must not refuse it, whatever the upstream.
func TestDefaultsAreNoLoss(t *testing.T) {
	const chat = `{"model":"m","messages":[{"role":"user","content":"hi"}],"n":1,"temperature":1,"top_p":1,"frequency_penalty":0,"presence_penalty":0.0,
		"logit_bias":{ },"logprobs":false,"top_logprobs":0,"modalities":["text"],"verbosity":"medium","metadata":{},"store":false,"service_tier":"auto",
		"response_format":{"type":"text"},"parallel_tool_calls":true,"stop":[],"tools":[],"tool_choice":"auto","stream":false,"user":""}`
	for op, model := range map[*wire.Operation]string{
		wire.Chat: "llama-3", wire.Responses: "gpt-5", wire.Messages: "claude-opus-4-8", wire.GeminiGenerate: "gemini-3-pro",
		wire.Converse: "us.anthropic.claude-sonnet-4-5-v1:0", wire.CohereChat: "command-a",
	} {
		req, err := doors.Codec(wire.Chat).DecodeRequest([]byte(chat))
		if err != nil {
			t.Fatal(err)
		}
		req.Model = model
		loss := wire.NewLoss(req)
		if _, err := doors.Codec(op).EncodeRequest(nil, req, loss); err != nil || loss.String() != "" {
			t.Errorf("%s: lost %q, error %v", op.Name, loss, err)
		}
	}
}
