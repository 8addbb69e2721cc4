package doors_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// TestImageTypes: OpenAI takes images by the name image/jpg, and by wrong ones;
// other vendors refuse a type that is none or is not the image's.
func TestImageTypes(t *testing.T) {
	const chat = `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpg;base64,AAAA"}},
		{"type":"image_url","image_url":{"url":"data:image/png;base64,/9j/4AAQ"}}]}]}`
	for op, want := range map[*wire.Operation][2]string{
		wire.Messages:       {"claude-opus-4-8", `"media_type":"image/jpeg"`},
		wire.GeminiGenerate: {"gemini-3-pro", `"mimeType":"image/jpeg"`},
		wire.Converse:       {"anthropic.claude-opus-4-8", `"format":"jpeg"`},
	} {
		req, err := doors.Codec(wire.Chat).DecodeRequest([]byte(chat))
		if err != nil {
			t.Fatal(err)
		}
		req.Model = want[0]
		body, err := doors.Codec(op).EncodeRequest(nil, req, wire.NewLoss(req))
		if err != nil || strings.Count(string(body), want[1]) != 2 {
			t.Errorf("%s: %s, error %v", op.Name, body, err)
		}
	}
}
