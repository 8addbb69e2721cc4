package tokenizer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/tokenizer"
)

// script writes down what a walker shows.
type script struct{ lines []string }

func (s *script) add(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *script) BeginMessage(byte, []byte) bool   { s.add("begin"); return false }
func (s *script) BeginMessages(byte, []byte) int   { return 0 }
func (s *script) Passed(int)                       {}
func (s *script) EndMessages()                     {}
func (s *script) EndMessage()                      { s.add("end") }
func (s *script) Role(role []byte)                 { s.add("role %s", role) }
func (s *script) Name(name []byte)                 { s.add("name %s", name) }
func (s *script) Text(text []byte)                 { s.add("text %s", text) }
func (s *script) ToolCall(name, arguments []byte)  { s.add("call %s %s", name, arguments) }
func (s *script) Image(detail, data []byte)        { s.add("image %s %s", detail, data) }
func (s *script) Media(kind string, size int)      { s.add("media %s %d", kind, size) }
func (s *script) Tool(name, description, b []byte) { s.add("tool %s %s %s", name, description, b) }
func (s *script) Format(schema []byte)             { s.add("format %s", schema) }

func TestWalkPrompt(t *testing.T) {
	tests := []struct{ name, dialect, body, want string }{
		{
			"chat", "openai",
			`{"messages":[{"role":"system","content":"be \"brief\""},{"role":"user","name":"bo","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"input_audio","input_audio":{"data":"AAAAAAAA","format":"wav"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"1","content":"ok"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}},"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"a":1}}}}`,
			`begin|role system|text be "brief"|end|begin|role user|name bo|text see|image low data:image/png;base64,AAAA|image  |media audio 6|end|begin|role assistant|call f {"a":1}|end|begin|role tool|text ok|end|media chat_tools 0|tool f d {"type":"object"}|media tool_forced 0|format {"a":1}`,
		},
		{"completion", "openai", `{"prompt":["a","b"]}`, "text a|text b"},
		{"token ids", "openai", `{"input":[[1,2,3],[4]]}`, "media tokens 3|media tokens 1"},
		{
			"responses", "responses",
			`{"instructions":"be","input":[{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"data:x","detail":"high"}]},{"type":"reasoning","summary":[]},{"type":"function_call","name":"f","arguments":"{}","call_id":"c"},{"type":"function_call_output","call_id":"c","output":"ok"}],"tools":[{"type":"function","name":"f","description":"d","parameters":{}},{"type":"web_search"}],"tool_choice":"none","text":{"format":{"type":"json_schema","schema":{}}}}`,
			"begin|role system|text be|end|begin|role user|text hi|image high data:x|end|begin|role assistant|call f {}|end|begin|role tool|text ok|end|tool f d {}|tool web_search  |media tool_none 0|format {}",
		},
		{"responses string", "responses", `{"input":"hi"}`, "begin|role user|text hi|end"},
		{
			"messages", "anthropic",
			`{"system":[{"type":"text","text":"be"}],"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"no"},{"type":"tool_use","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"ok"},{"type":"image","source":{"type":"base64","data":"QUJD"}}]}]}],"tools":[{"name":"f","description":"d","input_schema":{}}]}`,
			`begin|role system|text be|end|begin|role user|text hi|end|begin|role assistant|call f {"a":1}|end|begin|role user|text ok|image  QUJD|end|tool f d {}`,
		},
		{
			"gemini", "gemini",
			`{"system_instruction":{"parts":{"text":"be"}},"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"text":"hidden","thought":true}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{}}]}],"generationConfig":{"responseSchema":{}}}`,
			"begin|role system|text be|end|begin|role user|text hi|image  QUJD|end|begin|role model|call f {}|end|tool f d {}|format {}",
		},
		{"nothing", "openai", `{"messages":5,"tools":"x","prompt":null}`, "media chat_tools 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s script
			walkers[test.dialect]([]byte(test.body), jsonscan.Value{}, &s)
			if diff := cmp.Diff(test.want, strings.Join(s.lines, "|")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzWalkPrompt(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"tools":[{}]}`))
	f.Add([]byte(`{"contents":[{"parts":[{"inline_data":{}}]}],"system":[{"type":"document","source":{"type":"text","data":"x"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) || len(body) == 0 || body[0] != '{' {
			return
		}
		for _, walk := range walkers {
			p := tokenizer.ForModel("davinci").NewPrompt()
			walk(body, jsonscan.Value{}, p)
			if n, _ := p.Tokens(); n < 0 {
				t.Errorf("%d tokens", n)
			}
			p.Release()
		}
	})
}
