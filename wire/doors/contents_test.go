package doors_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

func TestContents(t *testing.T) {
	for _, tt := range []struct {
		name          string
		op            *wire.Operation
		body          string
		tools, images bool
	}{
		{"plain", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, false, false},
		{"words about them", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"an \"image\" of tools: {\"type\":\"image_url\"}"}],"metadata":{"tools":[1]}}`, false, false},
		{"no tools", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[]}`, false, false},
		{"null tools", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":null}`, false, false},
		{"chat tools", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, true, false},
		{"chat functions", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}],"functions":[{"name":"f"}]}`, true, false},
		{"chat image", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://x/y"}}]}]}`, false, true},
		{"an escaped one", wire.Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"im\u0061ge_url","im\u0061ge_url":{"url":"https://x/y"}}]}]}`, false, true},
		{"both", wire.Chat, `{"tools":[{}],"model":"m","messages":[{"role":"user","content":[{"image_url":"data:image/png;base64,AA"}]}]}`, true, true},
		{"a file is no image", wire.Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AA"}}]}]}`, false, false},
		{"messages image", wire.Messages, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y"}}]}]}`, false, true},
		{"image in a tool's result", wire.Messages, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]}]}`, false, true},
		{"messages tools", wire.Messages, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"t","input_schema":{}}]}`, true, false},
		{"responses", wire.Responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y"}]}],"tools":[{"type":"web_search"}]}`, true, true},
		{"responses text", wire.Responses, `{"model":"m","input":"an image"}`, false, false},
		{"gemini", wire.GeminiGenerate, `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}],"tools":[{"googleSearch":{}}]}`, true, true},
		{"gemini, snake", wire.GeminiGenerate, `{"contents":[{"parts":[{"file_data":{"mime_type":"image/png","file_uri":"gs://x"}}]}]}`, false, true},
		{"gemini audio", wire.GeminiGenerate, `{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AA"}}]}]}`, false, false},
		{"embeddings", wire.Embeddings, `{"model":"m","input":["an image"]}`, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var env wire.Envelope
			if err := env.Decode(tt.op, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if tools, images := doors.Contents(tt.op, &env); tools != tt.tools || images != tt.images {
				t.Errorf("tools %t, images %t", tools, images)
			}
		})
	}
}

func BenchmarkContents(b *testing.B) {
	body := `{"model":"m","messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("some words ", 200)+`"},`, 40) + `{"role":"user","content":"hi"}]}`
	var env wire.Envelope
	if err := env.Decode(wire.Chat, []byte(body)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		doors.Contents(wire.Chat, &env)
	}
}
